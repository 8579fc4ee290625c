// SPDX-License-Identifier: GPL-2.0

//! Objects that live as long as their mapping in a program's address space.
//!
//! An object is mapped through an anonymous file, and only the mapping refers to that file. So the
//! file is released when the mapping ends: by munmap, exec, exit or kill. The release runs as task
//! work, outside mmap_lock and before a parent learns of the exit.
//!
//! The mapping can't be grown, inherited or made executable. It can be moved as a whole. If a
//! program unmaps parts of it, the rest is still a mapping, but the object is found by its first
//! page only, and only while the program may read that page.
//!
//! C headers: [`include/linux/anon_inodes.h`](srctree/include/linux/anon_inodes.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::{
    bindings,
    compat,
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
/// - `pages()`: the pages that the program sees;
/// - `moved(address)`: the first page is at `address`, or will be in a moment. Called under
///   mmap_lock;
/// - `closed(address)`: the mapping at `address` goes away, or can't be read any more. Called under
///   mmap_lock, before anything else can be mapped there, and before `unmapped`;
/// - `id()`: the current address, or the last one;
/// - `is_dead()`: the object is ending, and can't be moved any more;
/// - `mm()`: the address space that it belongs to;
/// - `unmapped(this, task)`: the mapping is gone. Called in process context without locks, may
///   sleep; with a token if the current task runs in `mm()`.
type Object = crate::context::Context;

struct Operations {
    file: bindings::file_operations,
    vma: bindings::vm_operations_struct,
}

// SAFETY: The tables hold pointers to functions and to this module, which live as long as the
// tables. They are never written, so anybody may read them.
unsafe impl Sync for Operations {}

// The address of the table identifies our mappings, so there is one static, for one type.
static OPERATIONS: Operations = Operations {
    file: bindings::file_operations {
        owner: compat::this_module(),
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

/// The object of a file.
///
/// # Safety
///
/// `file` was created by [`map`], and is not released while the result is used.
unsafe fn object<'a>(file: *mut bindings::file) -> ArcBorrow<'a, Object> {
    // SAFETY: `map` stored it with `into_foreign`, and only `release` takes it away, by this
    // function's requirements not during `'a`. Nobody borrows it mutably.
    unsafe { <Arc<Object>>::borrow((*file).private_data) }
}

/// Whether `vma`, which is one of ours, begins with the first page of its object.
fn is_first(vma: &VmaRef) -> bool {
    // SAFETY: The vma is valid and locked, as it is borrowed, so that field does not change.
    unsafe { (*vma.as_ptr()).vm_pgoff == 0 }
}

/// Whether `len` bytes from page `first` on are all of `object`.
fn is_all(object: &Object, len: usize, first: c_ulong) -> bool {
    first == 0 && len == object.pages().len() * PAGE_SIZE
}

/// Chooses the address of a mapping. Refuses to map only a part:
///
/// - remap_file_pages(2) may ask for another part. It must fail here, since the old mapping is
///   already gone when [`mmap`] is called.
/// - mremap(2) may ask to move a part. It must fail, since [`unmap`] unmaps as many pages as the
///   object has, from the first one on.
///
/// # Safety
///
/// The same as for `file_operations.get_unmapped_area`.
unsafe extern "C" fn get_unmapped_area(
    file: *mut bindings::file,
    address: c_ulong,
    len: c_ulong,
    first: c_ulong,
    flags: c_ulong,
) -> c_ulong {
    // SAFETY: This is an operation of the files that `map` creates, and the caller has a reference
    // to the file during the call.
    let object = unsafe { object(file) };
    if !is_all(&object, len, first) {
        // An errno is returned as an address.
        return EINVAL.to_errno() as c_ulong;
    }
    // SAFETY: This is the kernel's default, called with the same arguments. It requires that the
    // current task holds mmap_lock of its address space for writing, as the caller does.
    unsafe { bindings::mm_get_unmapped_area(file, address, len, first, flags) }
}

/// # Safety
///
/// The same as for `file_operations.mmap`.
unsafe extern "C" fn mmap(file: *mut bindings::file, vma: *mut bindings::vm_area_struct) -> c_int {
    // SAFETY: This is an operation of the files that `map` creates, and the caller has a reference
    // to the file during the call.
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
    // SAFETY: Only this call sets up the vma, and `VmaNew` is not used any more. The table is
    // static, and the file holds the module.
    unsafe { (*vma).vm_ops = &raw const OPERATIONS.vma };
    0
}

/// # Safety
///
/// The same as for `file_operations.release`.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `map` stored it with `into_foreign`, and nobody uses the file after its release.
    let object = unsafe { <Arc<Object>>::from_foreign((*file).private_data) };
    let mm: ARef<Mm> = object.mm().into();
    // SAFETY: `__fput()` calls this, in process context without locks. That is task work of the
    // task that unmapped the object or of another task, the kernel's work queue, or a call that
    // releases the file at once. None of these is inside a call that holds a file from
    // `fdget_pos()`.
    unsafe { with_full_task(&mm, |task| Object::unmapped(object, task)) };
    drop(mm);
    0
}

/// # Safety
///
/// The same as for `vm_operations_struct.mprotect`.
unsafe extern "C" fn mprotect(
    vma: *mut bindings::vm_area_struct,
    start: c_ulong,
    _end: c_ulong,
    flags: c_ulong,
) -> c_int {
    // SAFETY: The vma is one of ours, under mmap_lock for writing. It refers to a file that `map`
    // created, so the file is not released during the call.
    let (vma, object) = unsafe { (VmaRef::from_raw(vma), object((*vma).vm_file)) };
    if start == vma.start() && is_first(vma) {
        // If mprotect(2) fails after this, the object is still found, if a little more slowly.
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
/// The same as for `vm_operations_struct.mremap`.
unsafe extern "C" fn mremap(vma: *mut bindings::vm_area_struct) -> c_int {
    // SAFETY: The vma is one of ours, the copy at the new address, and locked: mmap_lock is held
    // for writing. It refers to a file that `map` created, so the file is not released during the
    // call.
    let (vma, object) = unsafe { (VmaRef::from_raw(vma), object((*vma).vm_file)) };
    // `unmap` is about to look up the address.
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
/// The same as for `vm_operations_struct.close`.
unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
    // SAFETY: The vma is one of ours, and nobody else uses it any more: this is called under
    // mmap_lock, or by the last user of the address space. Until this returns the vma refers to a
    // file that `map` created.
    unsafe { object((*vma).vm_file).closed(VmaRef::from_raw(vma).start()) };
}

/// # Safety
///
/// The same as for `vm_operations_struct.fault`.
unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: The fault belongs to the caller. Its vma is one of ours, and the caller keeps it
    // locked during the call, by the vma's lock or mmap_lock. The vma refers to a file that `map`
    // created.
    let (object, index) = unsafe {
        let fault = &(*vmf).__bindgen_anon_1;
        (object((*fault.vma).vm_file), fault.pgoff)
    };
    let Some(page) = object.pages().get(index) else {
        return bindings::VM_FAULT_SIGBUS;
    };
    // SAFETY: `page` is the field for the result of this call. The reference that `get` took goes
    // to the page table with the page; the caller gives it back if it does not map the page.
    unsafe { (*vmf).page = page };
    0
}

/// Maps `object` into the address space of the current task.
///
/// ENOMEM, ENFILE and the errors of mmap(2); on error the object's `unmapped` is called. Process
/// context, no locks.
pub(crate) fn map(task: FullTask<'_>, object: Arc<Object>) -> Result {
    let len = object.pages().len() * PAGE_SIZE;
    let private = object.into_foreign();
    // SAFETY: Name and table are static, and the table holds the module. The file, if it is
    // created, takes over `private`. `task` proves that this may sleep.
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
            // SAFETY: No file was created, so what `into_foreign` returned is still ours.
            let object = unsafe { <Arc<Object>>::from_foreign(private) };
            Object::unmapped(object, Some(task));
            return Err(e);
        }
    };
    // SAFETY: `file` is ours. The mapping takes its own reference, so that after `fput()` it has
    // the only one; without a mapping the file is released. `task` proves that the current task has
    // an address space, may sleep, and holds no lock: `vm_mmap()` takes mmap_lock.
    let address = unsafe {
        let address = bindings::vm_mmap(file, 0, len, bindings::RING_PROT, bindings::RING_MAP, 0);
        bindings::fput(file);
        address
    };
    // An errno is returned as an address.
    from_err_ptr(address as *mut c_void).map(|_| ())
}

/// Looks up the object whose mapping starts at `address` in the current task's address space. The
/// program must have the right to read there.
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

/// Calls `of` for the mapping at `address` of the current task's address space, if there is one.
/// Same rules as [`lookup`].
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
    // SAFETY: A `VmaRef` is locked, by its own lock or mmap_lock, so it is valid and neither of the
    // two fields changes.
    let (operations, file) = unsafe { ((*vma.as_ptr()).vm_ops, (*vma.as_ptr()).vm_file) };
    let ours = core::ptr::eq(operations, &raw const OPERATIONS.vma);
    if vma.start() != address || !ours || !is_first(vma) {
        return None;
    }
    // SAFETY: The operations are ours, so `map` created the file. The vma, which is locked while
    // `vma` is borrowed, refers to the file, so it is not released before the reference is taken.
    Some(unsafe { object(file) }.into())
}

/// Unmaps `object`, which is dead, if it is still mapped. Process context, no locks.
///
/// If another thread of the program unmaps the object and maps something else there at the same
/// time, that may be unmapped instead.
pub(crate) fn unmap(object: &Arc<Object>) {
    loop {
        let address = object.id();
        let there = find(|vma| object_of(vma, address), address);
        if there.is_some_and(|there| Arc::ptr_eq(&there, object)) {
            // SAFETY: Unmaps memory of the program, as its own munmap(2) would; nobody in the
            // kernel has references to that memory. `find` has shown that there is an address
            // space. The call takes mmap_lock and sleeps, which this function's requirements allow:
            // process context, no locks.
            unsafe { bindings::vm_munmap(address, object.pages().len() * PAGE_SIZE) };
            return;
        }
        // A move that began before the object was dead was the last one, and `find` has waited for
        // it.
        if object.id() == address {
            return;
        }
    }
}
