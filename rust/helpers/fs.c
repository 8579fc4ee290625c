// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

int raio_helper_kiocb_set_rw_flags(struct kiocb *kiocb, __kernel_rwf_t flags, int rw)
{
	return kiocb_set_rw_flags(kiocb, flags, rw);
}

void raio_helper_kiocb_start_write(struct kiocb *kiocb)
{
	kiocb_start_write(kiocb);
}

bool raio_helper_kiocb_start_write_trylock(struct kiocb *kiocb)
{
	struct super_block *sb = file_inode(kiocb->ki_filp)->i_sb;

	if (!sb_start_write_trylock(sb))
		return false;
	/* Same as kiocb_start_write(): another task may end the write. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return true;
}

void raio_helper_kiocb_end_write(struct kiocb *kiocb)
{
	kiocb_end_write(kiocb);
}

/* A listener wants to decide about each range that is read or written. */
bool raio_helper_has_permission_events(const struct file *file)
{
	return FMODE_FSNOTIFY_HSM(file->f_mode) || FMODE_FSNOTIFY_ACCESS_PERM(file->f_mode);
}

bool raio_helper_is_reg(const struct file *file)
{
	return S_ISREG(file_inode(file)->i_mode);
}

/*
 * The file systems whose read and write paths were reviewed: of the current
 * task they only use credentials, limits, cgroups and memory.
 */
unsigned int raio_helper_regular_kind(const struct file *file)
{
	switch (file_inode(file)->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:		/* and ext2, ext3 */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case MSDOS_SUPER_MAGIC:
	case EXFAT_SUPER_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case SQUASHFS_MAGIC:
	case ISOFS_SUPER_MAGIC:
		return RAIO_REGULAR_CACHED;
	case OVERLAYFS_SUPER_MAGIC:
		/* The lower file system may wait for a server. */
		return d_real_inode(file->f_path.dentry)->i_sb->s_magic == FUSE_SUPER_MAGIC ?
			RAIO_REGULAR_FUSE : RAIO_REGULAR_CACHED;
	case FUSE_SUPER_MAGIC:
		return RAIO_REGULAR_FUSE;
	case TMPFS_MAGIC:
		if (!shmem_mapping(file->f_mapping))
			return RAIO_REGULAR_CACHED;	/* ramfs, which may be the root */
		return READ_ONCE(SHMEM_I(file->f_mapping->host)->swapped) ?
			RAIO_REGULAR_CACHED : RAIO_REGULAR_IN_MEMORY;
	case RAMFS_MAGIC:
		return RAIO_REGULAR_CACHED;
	default:
		return RAIO_REGULAR_OTHER;
	}
}

bool raio_helper_is_memory_device(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && imajor(inode) == MEM_MAJOR;
}

/*
 * Gives back the reference unless it is the last: then somebody would have to
 * release the file.
 */
bool raio_helper_fput_unless_last(struct file *file)
{
	/* file_ref_put() tells only afterwards whether it was the last. */
	long refs = atomic_long_read(&file->f_ref.refcnt);

	do {
		if (refs <= (long)FILE_REF_ONEREF)
			return false;
	} while (!atomic_long_try_cmpxchg(&file->f_ref.refcnt, &refs, refs - 1));
	return true;
}

const char *raio_helper_dentry_name(const struct file *file)
{
	return file->f_path.dentry->d_name.name;
}

unsigned long raio_helper_super_magic(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic;
}

s64 raio_helper_mapping_size(const struct file *file)
{
	return i_size_read(file->f_mapping->host);
}

/* A dead disk has size 0. */
bool raio_helper_is_disk_dead(struct file *file)
{
	return S_ISBLK(file_inode(file)->i_mode) &&
	       test_bit(GD_DEAD, &file_bdev(file)->bd_disk->state);
}

bool raio_helper_is_sync(const struct file *file)
{
	return IS_SYNC(file->f_mapping->host);
}

/*
 * atime_needs_update() is not exported; this rather returns true too often.  A
 * dirty inode is already in memory, and an update of that waits for nothing.
 */
bool raio_helper_atime_needs_update(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	unsigned int flags = file->f_path.mnt->mnt_flags;
	struct timespec64 now, atime, mtime, ctime;

	if ((file->f_flags & O_NOATIME) || IS_NOATIME(inode) ||
	    (flags & (MNT_NOATIME | MNT_READONLY)))
		return false;
	if (inode_state_read_once((struct inode *)inode) & (I_DIRTY_INODE | I_DIRTY_TIME))
		return false;
	if (!(flags & MNT_RELATIME))
		return true;
	atime = inode_get_atime(inode);
	mtime = inode_get_mtime(inode);
	ctime = inode_get_ctime(inode);
	if (timespec64_compare(&mtime, &atime) >= 0 || timespec64_compare(&ctime, &atime) >= 0)
		return true;
	ktime_get_coarse_real_ts64(&now);
	return now.tv_sec - atime.tv_sec >= 24 * 60 * 60;
}

/*
 * The limit check of generic_write_checks() for a write of the current task,
 * without the signal.
 */
bool raio_helper_exceeds_fsize(const struct file *file, s64 pos, bool append)
{
	loff_t limit = rlimit(RLIMIT_FSIZE);

	/* Files like those of sysfs do not check the limit. */
	if (limit == RLIM_INFINITY || !S_ISREG(file_inode(file)->i_mode) ||
	    raio_helper_regular_kind(file) == RAIO_REGULAR_OTHER)
		return false;
	if (append)
		pos = i_size_read(file->f_mapping->host);
	return pos >= limit;
}
