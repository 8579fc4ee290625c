// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>

static bool is_anonymous(struct mm_struct *mm, unsigned long start, size_t len)
{
	VMA_ITERATOR(vmi, mm, start);
	unsigned long end = start + len, at = start;
	struct vm_area_struct *vma;

	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_start > at || !vma_is_anonymous(vma) || userfaultfd_armed(vma))
			return false;
		at = vma->vm_end;
	}
	return at >= end;
}

/*
 * All of the memory is anonymous memory of the current task's process: a page
 * fault there, for example a copy on write after a fork, waits for nobody else.
 * False if mmap_lock is not free.
 */
bool raio_helper_iter_is_anonymous(const struct iov_iter *iter)
{
	struct mm_struct *mm = current->mm;
	bool anonymous = true;
	unsigned long i;

	if (iov_iter_is_bvec(iter))
		return true;
	if (!mm || !mmap_read_trylock(mm))
		return false;
	if (iter_is_ubuf(iter))
		anonymous = is_anonymous(mm, (unsigned long)iter->ubuf,
					 iter->iov_offset + iter->count);
	else
		for (i = 0; i < iter->nr_segs && anonymous; i++)
			anonymous = is_anonymous(mm, (unsigned long)iter_iov(iter)[i].iov_base,
						 iter_iov(iter)[i].iov_len);
	mmap_read_unlock(mm);
	return anonymous;
}

void raio_helper_import_bvec(struct iov_iter *iter, int rw, const struct bio_vec *bvec,
			     size_t nr, size_t offset, size_t len)
{
	iov_iter_bvec(iter, rw, bvec, nr, len);
	iter->iov_offset = offset;
}

void raio_helper_iter_ubuf(struct iov_iter *iter, int rw, void __user *buf, size_t len)
{
	iov_iter_ubuf(iter, rw, buf, len);
}

unsigned long raio_helper_iter_address(const struct iov_iter *iter)
{
	return (unsigned long)iter_iov_addr(iter);
}

size_t raio_helper_iter_len(const struct iov_iter *iter)
{
	return iter_iov_len(iter);
}
