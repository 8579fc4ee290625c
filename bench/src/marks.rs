// SPDX-License-Identifier: GPL-2.0

//! Counts of instructions, or nanoseconds, by what they are spent on.
//!
//! In a guest that is driven by `-icount shift=0` one instruction is one tick of the time stamp
//! counter's clock, so that is what is read; a CPU that idles makes it go on, too. Elsewhere it is
//! time. Where bench/plugin/count.c is loaded it counts what was really run, between the same
//! marks, and `report` takes its figures.

use std::arch::x86_64::{__cpuid, _rdtsc};

/// Sums over a repetition, and the length of each submission in all of them.
#[derive(Default, Debug)]
pub struct Marks {
    pub submit: u64,
    pub reap: u64,
    pub total: u64,
    pub calls: Vec<u64>,
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

/// Ticks of the counter as nanoseconds.
pub fn ns(ticks: u64) -> f64 {
    ticks as f64 * 1000.0 / ticks_per_1000() as f64
}

/// Tells bench/plugin/count.c something: a nop with an operand that nothing else has.
macro_rules! mark {
    ($name:ident, $number:literal) => {
        #[inline(always)]
        pub fn $name() {
            // SAFETY: A nop.
            unsafe {
                std::arch::asm!(
                    concat!("nopl ", $number, "(%rax)"),
                    options(att_syntax, nomem, nostack)
                )
            };
        }
    };
}

// Counts from `start` to `stop`; what is run between is for one of the three, or in an interrupt.
mark!(start, 0x7261696f);
mark!(stop, 0x72616970);
mark!(submitting, 0x72616971);
mark!(reaping, 0x72616972);
mark!(neither, 0x72616973);

impl Marks {
    /// With room for the lengths of `calls` submissions.
    pub fn with_room(calls: usize) -> Self {
        Self {
            calls: Vec::with_capacity(calls),
            ..Self::default()
        }
    }

    /// Begins the next repetition.
    pub fn reset(&mut self) {
        (self.submit, self.reap, self.total) = (0, 0, 0);
    }

    /// A round begins: with the submission.
    #[inline(always)]
    pub fn begin(&mut self) {
        submitting();
        self.started = now();
    }

    /// The submission is over; what is done from here on is for the results.
    #[inline(always)]
    pub fn submitted(&mut self) {
        let now = now();
        reaping();
        let call = now - self.started;
        self.submit += call;
        self.started = now;
        // No room must cost no more than room: an allocation would show.
        if self.calls.len() < self.calls.capacity() {
            self.calls.push(call);
        }
    }

    /// Nothing is submitted before results are waited for.
    #[inline(always)]
    pub fn waiting(&mut self) {
        self.started = now();
        reaping();
    }

    /// All results are there.
    #[inline(always)]
    pub fn reaped(&mut self) {
        self.reap += now() - self.started;
        neither();
    }
}
