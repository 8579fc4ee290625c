// SPDX-License-Identifier: GPL-2.0

//! Objects that live as long as their mapping in a program's address space.
//!
//! An object is mapped through an anonymous file that only the mapping refers to, so that the
//! file's release is the mapping's end: munmap, exec, exit or kill. The release runs as task work,
//! outside mmap_lock and before a parent learns of the exit.
//!
//! The mapping can't be grown, inherited or made executable. It can be moved as a whole, and what is left of
//! it when parts were unmapped is still a mapping; but the object is found by its first page alone, and only
//! while the program may read that.
//!
//! C headers: [`include/linux/anon_inodes.h`](srctree/include/linux/anon_inodes.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::{
    bindings,
    task::FullTask,
    task_work::with_full_task, //
};
use kernel::{
    current,
    error::from_err_ptr,
    mm::{
        virt::{
            self,
            VmaNew,
            VmaRef, //
        },
        Mm, //
    },
    module::this_module,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable, //
};

/// The type of the objects. It has
///
/// - `pages()`: what the program sees;
/// - `moved(address)`: its first page is, or will be in a moment, there. Called under mmap_lock;
/// - `closed(address)`: the mapping that was there is going, or can't be read. Called under mmap_lock,
///   before anything else can be mapped there, and before `unmapped`;
/// - `id()`: that address, or the last one;
/// - `is_dead()`: it is ending, and is not moved any more;
/// - `mm()`: the address space that it is for;
/// - `unmapped(this, task)`: the mapping is gone. Called in process context without locks, may
///   sleep; with a token if the task is one that works in `mm()`.
type Object = crate::context::Context;

struct Operations {
    file: bindings::file_operations,
    vma: bindings::vm_operations_struct,
}

// SAFETY: The tables hold pointers to functions and to this module, which live as long as they, and
// are never written: anybody may read them.
unsafe impl Sync for Operations {}

// Their address tells our mappings from all others, so they are one static for one type.
static OPERATIONS: Operations = Operations {
    file: bindings::file_operations {
        owner: this_module::<crate::LocalModule>().as_ptr(),
        mmap: Some(mmap),
        get_unmapped_area: Some(get_unmapped_area),
        release: Some(release),
        ..pin_init::zeroed()
    },
    vma: bindings::vm_operations_struct {
        mprotect: Some(mprotect),
        mremap: Some(mremap),
        close: Some(close),
        fault: Some(fault),
        ..pin_init::zeroed()
    },
};

/// # Safety
///
/// `file` was made by [`map`], and is not released while the result is used.
unsafe fn object<'a>(file: *mut bindings::file) -> ArcBorrow<'a, Object> {
    // SAFETY: `map` put it there by `into_foreign`, and only `release` takes it away, which the
    // requirement says is not during `'a`. Nobody borrows it mutably.
    unsafe { <Arc<Object>>::borrow((*file).private_data) }
}

/// Whether the first page of its object is the first of `vma`, which is one of ours.
fn is_first(vma: &VmaRef) -> bool {
    // SAFETY: The vma is valid, and locked, as it is borrowed: that field does not change then.
    unsafe { (*vma.as_ptr()).vm_pgoff == 0 }
}

/// Whether `len` bytes from page `first` on are all of `object`.
fn is_all(object: &Object, len: usize, first: c_ulong) -> bool {
    first == 0 && len == object.pages().len() * PAGE_SIZE
}

/// Says where to map. Another part, as remap_file_pages(2) may come with, is refused already here:
/// when [`mmap`] is called, the mapping that is to be replaced has gone. So is a part that mremap(2)
/// is to move: [`unmap`] takes all from the first page on for the object.
///
/// # Safety
///
/// As for `file_operations.get_unmapped_area`.
unsafe extern "C" fn get_unmapped_area(
    file: *mut bindings::file,
    address: c_ulong,
    len: c_ulong,
    first: c_ulong,
    flags: c_ulong,
) -> c_ulong {
    // SAFETY: This is an operation of the files that `map` makes, and the caller has a reference to
    // the file during the call.
    let object = unsafe { object(file) };
    if !is_all(&object, len, first) {
        // An errno is told as an address.
        return EINVAL.to_errno() as c_ulong;
    }
    // SAFETY: It is what would be called without this function, with the same arguments. It wants
    // the current task to hold mmap_lock of its address space for writing, as the caller here does.
    unsafe { bindings::mm_get_unmapped_area(file, address, len, first, flags) }
}

/// # Safety
///
/// As for `file_operations.mmap`.
unsafe extern "C" fn mmap(file: *mut bindings::file, vma: *mut bindings::vm_area_struct) -> c_int {
    // SAFETY: This is an operation of the files that `map` makes, and the caller has a reference to
    // the file during the call.
    let object = unsafe { object(file) };
    {
        // SAFETY: The vma is valid, is being set up, and is in no tree yet: the caller, under
        // mmap_lock for writing, leaves it to this call alone.
        let (vma, first) = unsafe { (VmaNew::from_raw(vma), (*vma).vm_pgoff) };
        if !is_all(&object, vma.end() - vma.start(), first) {
            return EINVAL.to_errno();
        }
        vma.set_dontcopy();
        vma.set_dontexpand();
        if let Err(e) = vma.try_clear_mayexec() {
            return e.to_errno();
        }
        object.moved(vma.start());
    }
    // SAFETY: The vma is being set up, by this call alone; `VmaNew` is not used any more. The table
    // is static, and the file holds the module.
    unsafe { (*vma).vm_ops = &raw const OPERATIONS.vma };
    0
}

/// # Safety
///
/// As for `file_operations.release`.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `map` put it there by `into_foreign`, and nobody uses the file after its release.
    let object = unsafe { <Arc<Object>>::from_foreign((*file).private_data) };
    let mm: ARef<Mm> = object.mm().into();
    // SAFETY: `__fput()` calls this, in process context without locks. It is task work of whoever
    // unmapped it, or that of another task or of the system's queue, or a call that releases the
    // file at once; none of them is inside a call that has a file by `fdget_pos()`.
    unsafe { with_full_task(&mm, |task| Object::unmapped(object, task)) };
    drop(mm);
    0
}

/// # Safety
///
/// As for `vm_operations_struct.mprotect`.
unsafe extern "C" fn mprotect(
    vma: *mut bindings::vm_area_struct,
    start: c_ulong,
    _end: c_ulong,
    flags: c_ulong,
) -> c_int {
    // SAFETY: The vma is one of ours, under mmap_lock for writing. It refers to a file that `map` made,
    // which is so not released during the call.
    let (vma, object) = unsafe { (VmaRef::from_raw(vma), object((*vma).vm_file)) };
    if start == vma.start() && is_first(vma) {
        // Should it fail after this, the object is found as before, if a little later.
        if flags & virt::flags::READ == 0 {
            object.closed(vma.start());
        } else {
            object.moved(vma.start());
        }
    }
    0
}

/// # Safety
///
/// As for `vm_operations_struct.mremap`.
unsafe extern "C" fn mremap(vma: *mut bindings::vm_area_struct) -> c_int {
    // SAFETY: The vma is one of ours, the copy at the new place, which is locked: mmap_lock is held
    // for writing. It refers to a file that `map` made, which is so not released during the call.
    let (vma, object) = unsafe { (VmaRef::from_raw(vma), object((*vma).vm_file)) };
    // `unmap` is about to look where it is.
    if object.is_dead() {
        return EINVAL.to_errno();
    }
    if is_first(vma) {
        object.moved(vma.start());
    }
    0
}

/// # Safety
///
/// As for `vm_operations_struct.close`.
unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
    // SAFETY: The vma is one of ours, which nobody else uses any more, under mmap_lock or as the
    // last user of the address space. It refers to a file that `map` made until this has returned.
    unsafe { object((*vma).vm_file).closed(VmaRef::from_raw(vma).start()) };
}

/// # Safety
///
/// As for `vm_operations_struct.fault`.
unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: The fault is the caller's own. Its vma is one of ours, and locked by the caller
    // during the call, by its own lock or mmap_lock; it refers to a file that `map` made.
    let (object, index) = unsafe {
        let fault = &(*vmf).__bindgen_anon_1;
        (object((*fault.vma).vm_file), fault.pgoff)
    };
    let Some(page) = object.pages().get(index) else {
        return bindings::VM_FAULT_SIGBUS;
    };
    // SAFETY: `page` is a field for the answer of this call. The reference that `get` took goes to
    // the page table with the page; the caller gives it back if it does not map it.
    unsafe { (*vmf).page = page };
    0
}

/// Maps `object` into the address space of the current task.
///
/// ENOMEM, ENFILE and what mmap(2) says; the object's `unmapped` is called then.
/// Process context, no locks.
pub(crate) fn map(task: FullTask<'_>, object: Arc<Object>) -> Result {
    let len = object.pages().len() * PAGE_SIZE;
    let private = object.into_foreign();
    // SAFETY: Name and table are static, and the table holds the module. The file takes over
    // `private`, if there is one. `task` says that this may sleep.
    let file = from_err_ptr(unsafe {
        bindings::anon_inode_getfile(
            c"[raio]".as_char_ptr(),
            &raw const OPERATIONS.file,
            private,
            bindings::O_RDWR as c_int,
        )
    });
    let file = match file {
        Ok(file) => file,
        Err(e) => {
            // SAFETY: There is no file that has what `into_foreign` gave, so it is still ours.
            let object = unsafe { <Arc<Object>>::from_foreign(private) };
            Object::unmapped(object, Some(task));
            return Err(e);
        }
    };
    // SAFETY: `file` is ours. The mapping takes a reference of its own, so that afterwards it has
    // the only one, or there is none and the file is released. `task` says that the current task
    // has an address space, may sleep, and holds no lock: `vm_mmap()` takes mmap_lock.
    let address = unsafe {
        let address = bindings::vm_mmap(file, 0, len, bindings::RING_PROT, bindings::RING_MAP, 0);
        bindings::fput(file);
        address
    };
    // An errno is told as in a pointer.
    from_err_ptr(address as *mut c_void).map(|_| ())
}

/// The object whose mapping in the current task's address space starts at `address`, where the program may
/// read.
///
/// Process context, no locks; sleeps if somebody changes the address space.
pub(crate) fn lookup(address: usize) -> Option<Arc<Object>> {
    find(
        |vma| {
            let readable = vma.flags() & virt::flags::READ != 0;
            readable.then(|| object_of(vma, address)).flatten()
        },
        address,
    )
}

/// What `of` says of the mapping at `address` of the current task's address space, if there is one. As
/// [`lookup`].
fn find<T>(of: impl Fn(&VmaRef) -> Option<T>, address: usize) -> Option<T> {
    let current = current!();
    let mm = current.mm()?;
    if let Some(vma) = mm.lock_vma_under_rcu(address) {
        return of(&vma);
    }
    let guard = mm.mmap_read_lock();
    of(guard.vma_lookup(address)?)
}

fn object_of(vma: &VmaRef, address: usize) -> Option<Arc<Object>> {
    // SAFETY: A `VmaRef` is locked, by its own lock or mmap_lock, so valid; neither of the two
    // fields changes then.
    let (operations, file) = unsafe { ((*vma.as_ptr()).vm_ops, (*vma.as_ptr()).vm_file) };
    let ours = core::ptr::eq(operations, &raw const OPERATIONS.vma);
    if vma.start() != address || !ours || !is_first(vma) {
        return None;
    }
    // SAFETY: It is our operations, so `map` made the file, and the vma, which is locked while
    // `vma` is borrowed, refers to it: it is not released before the reference is taken.
    Some(unsafe { object(file) }.into())
}

/// Ends the mapping of `object`, which is dead, if there is one. Process context, no locks.
///
/// A program that unmaps the object and maps something else there, just now and from another
/// thread, may lose that instead.
pub(crate) fn unmap(object: &Arc<Object>) {
    loop {
        let address = object.id();
        let there = find(|vma| object_of(vma, address), address);
        if there.is_some_and(|there| Arc::ptr_eq(&there, object)) {
            // SAFETY: It unmaps memory of the program, as its munmap(2) would, to which nobody in the
            // kernel has references. `lookup` has found that there is an address space. It takes
            // mmap_lock, and sleeps, as this function may: process context, no locks.
            unsafe { bindings::vm_munmap(address, object.pages().len() * PAGE_SIZE) };
            return;
        }
        // A move that began before it was dead, and `find` has waited for, was the last.
        if object.id() == address {
            return;
        }
    }
}
