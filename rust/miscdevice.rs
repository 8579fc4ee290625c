// SPDX-License-Identifier: GPL-2.0

//! The char device, and its open files.
//!
//! The kernel crate's `MiscDevice` has no poll, and its release does not tell who closes the file.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use super::{
    bindings,
    fs,
    poll_queue::PollTable,
    task::FullTask, //
};
use kernel::{
    container_of,
    error::to_result,
    fs::File,
    module::this_module,
    prelude::*,
    seq_file::SeqFile,
    str::as_char_ptr_in_const_context,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    }, //
};

/// The type of what an open file has. It has
///
/// - `open(shared)`: makes one;
/// - `device::ioctl(this, task, cmd, arg, compat)`;
/// - `pollers()` and `is_readable()`: whom to wake, and whether they need not wait;
/// - `show(seq)`: its lines in fdinfo;
/// - `closed(this)`: the file is released. Called in process context without locks, may sleep.
type Object = crate::lifecycle::open_device::OpenDevice;
/// What all of them share.
type Shared = Arc<crate::context::limit::Users>;

struct Operations(bindings::file_operations);

// SAFETY: The table holds pointers to functions and to this module, which live as long as it, and
// is never written: anybody may read it.
unsafe impl Sync for Operations {}

// Its address tells our files from all others, so it is one static for one type.
static OPERATIONS: Operations = Operations(bindings::file_operations {
    owner: this_module::<crate::LocalModule>().as_ptr(),
    llseek: Some(bindings::noop_llseek),
    open: Some(open),
    release: Some(release),
    unlocked_ioctl: Some(unlocked_ioctl),
    #[cfg(CONFIG_COMPAT)]
    compat_ioctl: Some(compat_ioctl),
    poll: Some(poll),
    show_fdinfo: Some(show_fdinfo),
    ..pin_init::zeroed()
});

/// A registered device; it is gone when this is dropped.
///
/// # Invariants
///
/// `device` was registered by `misc_register()`.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration {
    #[pin]
    device: Opaque<bindings::miscdevice>,
    shared: Shared,
}

// SAFETY: The device is touched by registration and its end alone, which are bound to no task, and
// what is shared is `Send`.
unsafe impl Send for Registration {}
// SAFETY: All that can be done through a shared reference is to clone what is shared, an `Arc`.
unsafe impl Sync for Registration {}

impl Registration {
    /// Registers `/dev/NAME`. Process context.
    pub(crate) fn new(name: &'static CStr, shared: Shared) -> impl PinInit<Self, Error> {
        // INVARIANT: If this succeeds it was registered.
        try_pin_init!(Self {
            // Before somebody may open the device.
            shared,
            device <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                // SAFETY: `slot` is valid for writes, and pinned. It stays in place until it is
                // deregistered, when this is dropped; name and table are static. The call sleeps,
                // which this function's terms allow: it is made when the module is loaded.
                unsafe {
                    slot.write(bindings::miscdevice {
                        minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                        name: as_char_ptr_in_const_context(name),
                        fops: &raw const OPERATIONS.0,
                        ..pin_init::zeroed()
                    });
                    to_result(bindings::misc_register(slot))
                }
            }),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Registration {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the invariants it is registered, and is not any more from here on. It sleeps:
        // this is dropped with the module, in process context without locks. Open files hold the
        // module, so there is none any more that looks at `shared`.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}

/// Whether `file` is one of the device's.
pub(crate) fn is_open_device(file: &File) -> bool {
    core::ptr::eq(fs::operations(file), &raw const OPERATIONS.0)
}

/// # Safety
///
/// `file` was opened by [`open`], and is not released during `'a`.
unsafe fn object<'a>(file: *mut bindings::file) -> ArcBorrow<'a, Object> {
    // SAFETY: `open` put it there by `into_foreign`, and only `release` takes it away, which the
    // requirement says is not during `'a`. Nobody borrows it mutably.
    unsafe { <Arc<Object>>::borrow((*file).private_data) }
}

/// # Safety
///
/// As for `file_operations.open`.
unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `misc_open()` put there the device that is opened, and holds the lock under which one
    // is deregistered. Its table is ours, so it lies in the `Opaque` of a registration, which is
    // pinned and was initialised, `shared` before the device.
    let registration = unsafe {
        let device = (*file).private_data.cast::<bindings::miscdevice>();
        &*container_of!(Opaque::cast_from(device).cast_mut(), Registration, device)
    };
    match Object::open(registration.shared.clone()) {
        Ok(object) => {
            // SAFETY: The file is being opened, by this call: nobody else has it.
            unsafe { (*file).private_data = object.into_foreign() };
            0
        }
        Err(e) => e.to_errno(),
    }
}

/// # Safety
///
/// As for `file_operations.release`.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `open` put it there by `into_foreign`, and succeeded, as there is a release, which is
    // called once. Nobody uses the file after it.
    let object = unsafe { <Arc<Object>>::from_foreign((*file).private_data) };
    Object::closed(object);
    0
}

/// # Safety
///
/// As for `file_operations.unlocked_ioctl`.
unsafe extern "C" fn unlocked_ioctl(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file during the call.
    let object = unsafe { object(file) };
    // SAFETY: It is ioctl(2) that calls, in process context, which has locked nothing, and which
    // only a program's own tasks can call, that have all a `FullTask` has; it has used `fdget()`
    // for the file, and returns after this.
    let result =
        unsafe { FullTask::with(|task| crate::device::ioctl(object, task, cmd, arg, false)) };
    result.unwrap_or_else(|e| e.to_errno() as isize)
}

/// # Safety
///
/// As for `file_operations.compat_ioctl`.
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
    // As `compat_ptr()`.
    let arg = arg & u32::MAX as usize;
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file during the call.
    let object = unsafe { object(file) };
    // SAFETY: It is ioctl(2) of a 32-bit program that calls, in process context without locks: only
    // a program's own tasks can. It has used `fdget()` for the file, and returns after this.
    let result =
        unsafe { FullTask::with(|task| crate::device::ioctl(object, task, cmd, arg, true)) };
    result.unwrap_or_else(|e| e.to_errno() as isize)
}

/// # Safety
///
/// As for `file_operations.poll`.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: This is an operation of files that `open` opened, to which the caller has a
    // reference, and `table` its argument. Whoever waits has the file too, or, as epoll, stops
    // waiting before its release, and until then it has the object. `poll_wait()` may sleep, as the
    // caller here may.
    let object = unsafe {
        let object = object(file);
        PollTable::from_raw(table).register(file, object.pollers());
        object
    };
    if object.is_readable() {
        bindings::EPOLLIN | bindings::EPOLLRDNORM
    } else {
        0
    }
}

/// # Safety
///
/// As for `file_operations.show_fdinfo`.
unsafe extern "C" fn show_fdinfo(seq: *mut bindings::seq_file, file: *mut bindings::file) {
    // SAFETY: This is an operation of files that `open` opened, to which the caller has a
    // reference. It has `seq` for itself: nobody else writes there during the call. Process
    // context, may sleep.
    unsafe { object(file).show(SeqFile::from_raw(seq)) };
}
