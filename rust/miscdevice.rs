// SPDX-License-Identifier: GPL-2.0

//! The char device, and its open files.
//!
//! The kernel crate's `MiscDevice` has no poll, and its release does not say which task closes the
//! file.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use super::{
    bindings,
    compat,
    fs,
    poll_queue::PollTable,
    task::FullTask,
    uapi, //
};
use kernel::{
    container_of,
    error::to_result,
    fs::File,
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

/// The type of the private data of an open file. It has
///
/// - `open(shared)`: creates it;
/// - `device::ioctl(this, task, cmd, arg, compat)`: handles an ioctl;
/// - `device::advise(this, task, arg, advice)`: handles the fadvise64 that stands for one;
/// - `pollers()` and `is_readable()`: the wait queue for poll, and whether the file is readable;
/// - `show(seq)`: prints its lines of fdinfo;
/// - `closed(this)`: the file is released. Called in process context without locks, may sleep.
type Object = crate::lifecycle::open_device::OpenDevice;
/// The data that all open files share.
type Shared = Arc<crate::context::limit::Users>;

struct Operations(bindings::file_operations);

// SAFETY: The table holds pointers to functions and to this module, which live as long as the
// table. It is never written, so anybody may read it.
unsafe impl Sync for Operations {}

// The address of the table identifies our files, so there is one static, for one type.
static OPERATIONS: Operations = Operations(bindings::file_operations {
    owner: compat::this_module(),
    llseek: Some(bindings::noop_llseek),
    #[cfg(CONFIG_ADVISE_SYSCALLS)]
    fadvise: Some(fadvise),
    open: Some(open),
    release: Some(release),
    unlocked_ioctl: Some(unlocked_ioctl),
    #[cfg(CONFIG_COMPAT)]
    compat_ioctl: Some(compat_ioctl),
    poll: Some(poll),
    show_fdinfo: Some(show_fdinfo),
    ..pin_init::zeroed()
});

/// A registered device. Dropping this deregisters it.
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

// SAFETY: Only registration and deregistration access the device. These are bound to no task, and
// `shared` is `Send`.
unsafe impl Send for Registration {}
// SAFETY: Through a shared reference one can only clone `shared`, an `Arc`.
unsafe impl Sync for Registration {}

impl Registration {
    /// Registers `/dev/NAME`. Process context.
    pub(crate) fn new(name: &'static CStr, shared: Shared) -> impl PinInit<Self, Error> {
        // INVARIANT: If this succeeds, the device was registered.
        try_pin_init!(Self {
            // Initialised before anybody can open the device.
            shared,
            device <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                // SAFETY: `slot` is valid for writes, and pinned. It stays in place until it is
                // deregistered, when this is dropped. Name and table are static. The call sleeps,
                // which this function's requirements allow: it is called when the module is loaded.
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
        // SAFETY: By the invariants the device is registered; from here on it is not. The call
        // sleeps: this is dropped with the module, in process context without locks. Open files
        // hold the module, so no open file that could access `shared` is left.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}

/// Whether `file` is an open file of the device.
pub(crate) fn is_open_device(file: &File) -> bool {
    core::ptr::eq(fs::operations(file), &raw const OPERATIONS.0)
}

/// The private data of an open file.
///
/// # Safety
///
/// `file` was opened by [`open`], and is not released during `'a`.
unsafe fn object<'a>(file: *mut bindings::file) -> ArcBorrow<'a, Object> {
    // SAFETY: `open` stored it with `into_foreign`, and only `release` takes it away, by this
    // function's requirements not during `'a`. Nobody borrows it mutably.
    unsafe { <Arc<Object>>::borrow((*file).private_data) }
}

/// # Safety
///
/// The same as for `file_operations.open`.
unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `misc_open()` stored there the device that is opened, and holds the lock that
    // deregistration takes. The table of the device is ours, so the device lies in the `Opaque` of
    // a registration. That is pinned and initialised, `shared` before the device.
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
/// The same as for `file_operations.release`.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: There is a release, so `open` succeeded and stored it with `into_foreign`. The
    // release is called once, and nobody uses the file afterwards.
    let object = unsafe { <Arc<Object>>::from_foreign((*file).private_data) };
    Object::closed(object);
    0
}

/// # Safety
///
/// The same as for `file_operations.unlocked_ioctl`.
unsafe extern "C" fn unlocked_ioctl(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file during the call.
    let object = unsafe { object(file) };
    // SAFETY: ioctl(2) calls this, in process context without locks. Only a program's own tasks can
    // call that, and they have all that a `FullTask` has. It used `fdget()` for the file, and
    // returns after this.
    let result =
        unsafe { FullTask::with(|task| crate::device::ioctl(object, task, cmd, arg, false)) };
    result.unwrap_or_else(|e| e.to_errno() as isize)
}

/// # Safety
///
/// The same as for `file_operations.compat_ioctl`.
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
    // Same as `compat_ptr()`.
    let arg = arg & u32::MAX as usize;
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file during the call.
    let object = unsafe { object(file) };
    // SAFETY: ioctl(2) of a 32-bit program calls this, in process context without locks. Only a
    // program's own tasks can call that, and they have all that a `FullTask` has. It used `fdget()`
    // for the file, and returns after this.
    let result =
        unsafe { FullTask::with(|task| crate::device::ioctl(object, task, cmd, arg, true)) };
    result.unwrap_or_else(|e| e.to_errno() as isize)
}

/// # Safety
///
/// The same as for `file_operations.fadvise`.
unsafe extern "C" fn fadvise(
    file: *mut bindings::file,
    offset: bindings::loff_t,
    len: bindings::loff_t,
    advice: c_int,
) -> c_int {
    let Ok(call @ uapi::RAIO_ADVISE_SUBMIT..=uapi::RAIO_ADVISE_ENTER) = u32::try_from(advice)
    else {
        // SAFETY: These are the caller's own arguments, and what it would call if this were not here:
        // it holds the file, in process context. The function reads the file's mapping.
        return unsafe { bindings::generic_fadvise(file, offset, len, advice) };
    };
    // io_uring gives an advice that it does not know to threads of its own.
    // SAFETY: This only reads the state of the current task.
    if len != 0 || !unsafe { bindings::raio_helper_is_native_call() } {
        return EINVAL.to_errno();
    }
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file during the call.
    let object = unsafe { object(file) };
    // SAFETY: fadvise64(2) calls this, in process context without locks; that the task is an
    // ordinary one was checked. Other callers of `vfs_fadvise()` have an advice or a file that the
    // kernel chose. It used `fdget()` for the file, and returns after this.
    let result = unsafe {
        FullTask::with(|task| crate::device::advise(object, task, offset as usize, call))
    };
    result.map_or_else(|e| e.to_errno(), |result| result as c_int)
}

/// # Safety
///
/// The same as for `file_operations.poll`.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file, and `table` is the caller's argument. A poller holds the file too, or, like epoll,
    // stops waiting before the file's release; until then the file keeps the object. `poll_wait()`
    // may sleep, as a `poll` may.
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
/// The same as for `file_operations.show_fdinfo`.
unsafe extern "C" fn show_fdinfo(seq: *mut bindings::seq_file, file: *mut bindings::file) {
    // SAFETY: This is an operation of files that `open` opened. The caller has a reference to the
    // file, and owns `seq`: nobody else writes to it during the call. Process context, may sleep.
    unsafe { object(file).show(SeqFile::from_raw(seq)) };
}
