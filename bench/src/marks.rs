// SPDX-License-Identifier: GPL-2.0

//! Counts of instructions, or nanoseconds, by what they are spent on.
//!
//! In a guest that is driven by `-icount shift=0` one instruction is one tick of the time stamp
//! counter's clock, so that is what is read. Elsewhere it is time.

use std::arch::x86_64::{__cpuid, _rdtsc};

/// Sums over a run.
#[derive(Clone, Copy, Default, Debug)]
pub struct Marks {
    pub submit: u64,
    pub reap: u64,
    pub total: u64,
    started: u64,
}

/// The counter. CPUID keeps the processor's own reordering out on real hardware.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: All x86-64 processors have it.
    unsafe { _rdtsc() }
}

/// Ticks of the counter for 1000 instructions or nanoseconds, by the hypervisor's or the
/// processor's word; 1000 if neither has one.
pub fn ticks_per_1000() -> u64 {
    // SAFETY: All x86-64 processors have it.
    let highest = unsafe { __cpuid(0) }.eax;
    if highest >= 0x15 {
        // SAFETY: It has this leaf.
        let leaf = unsafe { __cpuid(0x15) };
        if leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0 {
            return u64::from(leaf.ecx) * u64::from(leaf.ebx) / u64::from(leaf.eax) / 1_000_000;
        }
    }
    1000
}

/// Tells bench/plugin/count.c to count from here on.
#[inline(always)]
pub fn start_profile() {
    // SAFETY: A nop.
    unsafe { std::arch::asm!("nopl 0x7261696f(%rax)", options(att_syntax, nomem, nostack)) };
}

/// And up to here.
#[inline(always)]
pub fn stop_profile() {
    // SAFETY: A nop.
    unsafe { std::arch::asm!("nopl 0x72616970(%rax)", options(att_syntax, nomem, nostack)) };
}

impl Marks {
    /// A round begins: with the submission.
    #[inline(always)]
    pub fn begin(&mut self) {
        self.started = now();
    }

    /// The submission is over; what is done from here on is for the results.
    #[inline(always)]
    pub fn submitted(&mut self) {
        let now = now();
        self.submit += now - self.started;
        self.started = now;
    }

    /// All results are there.
    #[inline(always)]
    pub fn reaped(&mut self) {
        self.reap += now() - self.started;
    }
}
