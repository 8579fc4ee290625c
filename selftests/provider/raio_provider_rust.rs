// SPDX-License-Identifier: GPL-2.0

//! `/dev/raio_provider_rust`: a driver that ends requests in the ways of `provider.h`.
//!
//! The kernel crate has timers, work, poll queues and the `MiscDevice` trait. It has no way yet
//! to complete a `kiocb` later, no `poll` in that trait, and no file modes: what is unsafe here is
//! that.
//!
//! A request lives until its file is released, which waits for its timer and its work: no code of
//! this module runs when the last file is gone.

use core::ptr::null_mut;
use kernel::{
    bindings,
    fs::{
        File,
        Kiocb, //
    },
    impl_has_hr_timer,
    ioctl::_IO,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    new_mutex, new_poll_condvar,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Full,
                Relaxed, //
            },
            Atomic, //
        },
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc,
        ArcBorrow,
        Mutex, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
    workqueue::{
        self,
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};

module! {
    type: ProviderModule,
    name: "raio_provider_rust",
    authors: ["The raio authors"],
    description: "Ends requests in every way that a driver may choose, for raio's tests",
    license: "GPL",
}

// As in provider.h.
const AT_ONCE: u32 = 0;
const TIMER: u32 = 1;
const WORK: u32 = 2;
const EARLY: u32 = 3;
const ERROR: u32 = 4;
const HELD: u32 = 5;
const WAKES: u32 = 6;
const LATE_EAGAIN: u32 = 7;
const MODES: u32 = 8;

const SET_MODE: u32 = _IO(b'P' as u32, 0);
const SET_DELAY: u32 = _IO(b'P' as u32, 1);
const ANSWER: u32 = _IO(b'P' as u32, 2);
const CALLS: u32 = _IO(b'P' as u32, 3);
const NOWAIT_CALLS: u32 = _IO(b'P' as u32, 4);
const PENDING: u32 = _IO(b'P' as u32, 5);

const HELD_SECONDS: i64 = 40;

fn byte_at(offset: i64) -> u8 {
    (offset as u8).wrapping_mul(7).wrapping_add(13)
}

// Macros of C that the kernel crate has no constants for.
const IOCB_NOWAIT: i32 = 0x8;
const FMODE_NOWAIT: u32 = 1 << 27;
const EILSEQ: i32 = 84;
const READY: u32 =
    bindings::POLLIN | bindings::POLLOUT | bindings::POLLRDNORM | bindings::POLLWRNORM;

fn queued() -> Error {
    Error::from_errno(-(bindings::EIOCBQUEUED as i32))
}

/// A request whose completion is owed.
#[pin_data]
struct Request {
    /// Not null: to be completed, by who takes it out.
    kiocb: Atomic<*mut bindings::kiocb>,
    result: Result<usize>,
    held: bool,
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    work: Work<Self>,
}

impl Request {
    /// # Safety
    ///
    /// The issue call that was given `kiocb`, which is asynchronous, returns -EIOCBQUEUED.
    unsafe fn new(
        kiocb: *mut bindings::kiocb,
        result: Result<usize>,
        held: bool,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                kiocb: Atomic::new(kiocb),
                result,
                held,
                timer <- HrTimer::new(),
                work <- new_work!("Request::work"),
            }),
            GFP_KERNEL,
        )
    }

    fn is_pending(&self) -> bool {
        !self.kiocb.load(Relaxed).is_null()
    }

    /// Says whether it was pending.
    fn complete(&self, result: Result<usize>) -> bool {
        let kiocb = self.kiocb.xchg(null_mut(), Full);
        if kiocb.is_null() {
            return false;
        }
        let ret = match result {
            Ok(moved) => moved as isize,
            Err(e) => e.to_errno() as isize,
        };
        // SAFETY: By `new`'s contract the kiocb is ours until its completion is called, and the
        // exchange gives it to one caller only.
        unsafe {
            if ret > 0 {
                (*kiocb).ki_pos += ret as i64;
            }
            if let Some(complete) = (*kiocb).ki_complete {
                complete(kiocb, ret);
            }
        }
        true
    }
}

impl HrTimerCallback for Request {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        _context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        this.complete(if this.held {
            Err(ETIMEDOUT)
        } else {
            this.result
        });
        HrTimerRestart::NoRestart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Request {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl WorkItem for Request {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.complete(this.result);
    }
}

impl_has_work! {
    impl HasWork<Self> for Request { self.work }
}

/// What a file keeps of a request until it is released. The handle's drop waits for the timer.
struct Kept {
    request: Arc<Request>,
    _timer: Option<ArcHrTimerHandle<Request>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: The work was initialized and lives in `request`. It does not wait in the queue
        // any more, since the request is complete: this waits for a run, and loses no reference.
        unsafe { bindings::cancel_work_sync(Work::raw_get(&self.request.work)) };
    }
}

/// The readiness of a file for one request, and who polls for it.
#[pin_data]
struct Readiness {
    ready: Atomic<bool>,
    /// The timer will make it ready.
    started: Atomic<bool>,
    #[pin]
    wait: PollCondVar,
    #[pin]
    timer: HrTimer<Self>,
}

impl Readiness {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                ready: Atomic::new(false),
                started: Atomic::new(false),
                wait <- new_poll_condvar!("Readiness::wait"),
                timer <- HrTimer::new(),
            }),
            GFP_KERNEL,
        )
    }
}

impl HrTimerCallback for Readiness {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        _context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        this.started.xchg(false, Full);
        this.ready.xchg(true, Full);
        this.wait.notify_all();
        HrTimerRestart::NoRestart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Readiness {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

/// An open file.
#[pin_data]
struct Provider {
    mode: Atomic<u32>,
    delay_us: Atomic<i64>,
    calls: Atomic<i32>,
    nowait_calls: Atomic<i32>,
    #[pin]
    requests: Mutex<KVec<Kept>>,
    readiness: Arc<Readiness>,
    #[pin]
    waker: Mutex<Option<ArcHrTimerHandle<Readiness>>>,
}

type Iocb<'a> = Kiocb<'a, Pin<KBox<Provider>>>;

fn is_nowait(kiocb: &Iocb<'_>) -> bool {
    // SAFETY: It is valid, and nobody changes the flags during the issue call.
    unsafe { (*kiocb.as_raw()).ki_flags & IOCB_NOWAIT != 0 }
}

fn is_sync(kiocb: &Iocb<'_>) -> bool {
    // SAFETY: It is valid, and nobody changes the callback during the issue call.
    unsafe { (*kiocb.as_raw()).ki_complete.is_none() }
}

#[vtable]
impl MiscDevice for Provider {
    type Ptr = Pin<KBox<Self>>;

    fn open(file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        // SAFETY: Nobody else has the file before open has returned.
        unsafe { (*file.as_ptr()).f_mode |= FMODE_NOWAIT };
        KBox::try_pin_init(
            try_pin_init!(Self {
                mode: Atomic::new(AT_ONCE),
                delay_us: Atomic::new(1000),
                calls: Atomic::new(0),
                nowait_calls: Atomic::new(0),
                requests <- new_mutex!(KVec::new(), "Provider::requests"),
                readiness: Readiness::new()?,
                waker <- new_mutex!(None, "Provider::waker"),
            }),
            GFP_KERNEL,
        )
    }

    fn read_iter(kiocb: Iocb<'_>, iter: &mut IovIterDest<'_>) -> Result<usize> {
        let len = iter.len();
        Provider::issue(kiocb, len, |bytes| Ok(iter.copy_to_iter(bytes)))
    }

    fn write_iter(kiocb: Iocb<'_>, iter: &mut IovIterSource<'_>) -> Result<usize> {
        let len = iter.len();
        Provider::issue(kiocb, len, |bytes| {
            let mut from_user = [0; PART];
            let moved = iter.copy_from_iter(&mut from_user[..bytes.len()]);
            if from_user[..moved] != bytes[..moved] {
                return Err(Error::from_errno(-EILSEQ));
            }
            Ok(moved)
        })
    }

    fn ioctl(me: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        match cmd {
            SET_MODE if arg < MODES as usize => me.mode.store(arg as u32, Relaxed),
            SET_MODE => return Err(EINVAL),
            SET_DELAY => me.delay_us.store(arg as i64, Relaxed),
            ANSWER => return Ok(me.answer()),
            CALLS => return Ok(me.calls.load(Relaxed) as isize),
            NOWAIT_CALLS => return Ok(me.nowait_calls.load(Relaxed) as isize),
            PENDING => {
                let requests = me.requests.lock();
                return Ok(requests.iter().filter(|r| r.request.is_pending()).count() as isize);
            }
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }
}

const PART: usize = 64;

/// Moves `len` bytes in parts by `transfer`; gives what was moved, or an error if nothing was.
fn copy(start: i64, len: usize, mut transfer: impl FnMut(&[u8]) -> Result<usize>) -> Result<usize> {
    let mut done = 0;
    while done < len {
        let part = PART.min(len - done);
        let mut bytes = [0; PART];
        for (i, byte) in bytes[..part].iter_mut().enumerate() {
            *byte = byte_at(start.wrapping_add((done + i) as i64));
        }
        let moved = transfer(&bytes[..part])?;
        done += moved;
        if moved < part {
            return if done > 0 { Ok(done) } else { Err(EFAULT) };
        }
    }
    Ok(done)
}

impl Provider {
    fn delay(&self) -> Delta {
        Delta::from_micros(self.delay_us.load(Relaxed))
    }

    fn issue(
        mut kiocb: Iocb<'_>,
        len: usize,
        transfer: impl FnMut(&[u8]) -> Result<usize>,
    ) -> Result<usize> {
        let me = kiocb.file();
        let nowait = is_nowait(&kiocb);
        let mut mode = me.mode.load(Relaxed);

        me.calls.fetch_add(1, Relaxed);
        if nowait {
            me.nowait_calls.fetch_add(1, Relaxed);
        }
        if mode == WAKES {
            me.wait_ready(nowait)?;
            mode = AT_ONCE;
        }
        let mut result = copy(kiocb.ki_pos(), len, transfer);
        if mode == ERROR && result.is_ok() {
            result = Err(EIO);
        }
        // The iterator has moved all the same, as a block driver's has.
        if mode == LATE_EAGAIN && nowait {
            result = Err(EAGAIN);
        }
        if mode == AT_ONCE || is_sync(&kiocb) {
            let moved = result?;
            *kiocb.ki_pos_mut() += moved as i64;
            return Ok(moved);
        }
        me.complete_later(mode, &kiocb, result)?;
        Err(queued())
    }

    /// On success the caller must return -EIOCBQUEUED, and not touch the kiocb any more.
    fn complete_later(&self, mode: u32, kiocb: &Iocb<'_>, result: Result<usize>) -> Result {
        let mut requests = self.requests.lock();
        requests.reserve(1, GFP_KERNEL)?;
        // SAFETY: Nothing below fails, and then `issue`, the only caller, returns that.
        let request = unsafe { Request::new(kiocb.as_raw(), result, mode == HELD) }?;
        let timer = match mode {
            EARLY => {
                request.complete(result);
                None
            }
            WORK => {
                // Fails only if it is queued already.
                let _ = workqueue::system_unbound().enqueue(request.clone());
                None
            }
            HELD => Some(request.clone().start(Delta::from_secs(HELD_SECONDS))),
            TIMER | ERROR | LATE_EAGAIN => Some(request.clone().start(self.delay())),
            // `ioctl` lets no other in.
            _ => {
                request.complete(Err(EINVAL));
                None
            }
        };
        let kept = Kept {
            request,
            _timer: timer,
        };
        // There is room for it.
        let _ = requests.push_within_capacity(kept);
        Ok(())
    }

    fn answer(&self) -> isize {
        let requests = self.requests.lock();
        let held = requests.iter().filter(|kept| kept.request.held);
        held.filter(|kept| kept.request.complete(kept.request.result))
            .count() as isize
    }

    fn wait_ready(&self, nowait: bool) -> Result {
        while !self.readiness.ready.xchg(false, Full) {
            let mut waker = self.waker.lock();
            if !self.readiness.started.xchg(true, Full) {
                // First the old handle goes: its drop stops the timer.
                *waker = None;
                *waker = Some(self.readiness.clone().start(self.delay()));
            }
            if nowait {
                return Err(EAGAIN);
            }
            // The timer's interrupt can't take the mutex: look again after a jiffy.
            if let kernel::sync::CondVarTimeoutResult::Signal { .. } = self
                .readiness
                .wait
                .wait_interruptible_timeout(&mut waker, 1)
            {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }
}

/// The trait's vtable, and what it has no entry for.
fn file_operations(device: &bindings::miscdevice) -> bindings::file_operations {
    // SAFETY: `into_raw` set it to a static.
    let mut fops = unsafe { *device.fops };
    fops.poll = Some(poll);
    fops.llseek = Some(bindings::default_llseek);
    fops
}

/// # Safety
///
/// `file` must be an open file of this device, `table` null or valid.
unsafe extern "C" fn poll(file: *mut bindings::file, table: *mut bindings::poll_table) -> u32 {
    // SAFETY: The trait's open has put it there, and release is not before this returns.
    let me = unsafe { <Pin<KBox<Provider>> as ForeignOwnable>::borrow((*file).private_data) };
    // SAFETY: By this function's contract.
    let (file, table) = unsafe { (File::from_raw_file(file), PollTable::from_raw(table)) };

    table.register_wait(file, &me.readiness.wait);
    if me.mode.load(Relaxed) == WAKES && !me.readiness.ready.load(Relaxed) {
        return 0;
    }
    READY
}

/// As `MiscDeviceRegistration`, with file operations of its own.
#[pin_data(PinnedDrop)]
struct ProviderModule {
    _fops: KBox<bindings::file_operations>,
    #[pin]
    device: Opaque<bindings::miscdevice>,
}

// SAFETY: A misc device may be registered and deregistered by any thread.
unsafe impl Send for ProviderModule {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for ProviderModule {}

impl kernel::InPlaceModule for ProviderModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let options = MiscDeviceOptions {
            name: c"raio_provider_rust",
        };
        let mut raw = options.into_raw::<Provider>();
        raw.mode = 0o666;
        let fops = KBox::new(file_operations(&raw), GFP_KERNEL);
        try_pin_init!(Self {
            device <- {
                let fops: *const bindings::file_operations = match &fops {
                    Ok(fops) => &**fops,
                    Err(_) => return Err(ENOMEM),
                };
                raw.fops = fops;
                Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                    // SAFETY: The slot may be written, and stays where it is until drop, which
                    // deregisters it before the file operations are freed.
                    kernel::error::to_result(unsafe {
                        slot.write(raw);
                        bindings::misc_register(slot)
                    })
                })
            },
            _fops: fops?,
        })
    }
}

#[pinned_drop]
impl PinnedDrop for ProviderModule {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It was registered by `init`.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}
