// SPDX-License-Identifier: GPL-2.0
/* Meetings: what the acting thread does, and with which result. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "meet_run.h"
#include "provider/provider.h"
#include "special.h"

static int move_to(void *to)
{
	void *at = mremap((void *)run.place, run.ring_size, run.ring_size,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to);

	if (at == MAP_FAILED)
		return -errno;
	run.place = (uintptr_t)at;
	return 0;
}

static void reuse(void)
{
	ASSERT_EQ(0, close(run.reader));
	ASSERT_EQ(run.reader, fcntl(meet_files.other[0], F_DUPFD_CLOEXEC, run.reader));
}

static int become_other(void)
{
	return setresuid(OTHER_UID, OTHER_UID, OTHER_UID);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capset, &header, data);
}

/* Then the page has been read. */
static void wait_for_device(void)
{
	while (nullb_inflight(&meet_slow.nullb))
		;
}

long meet_act(void)
{
	struct io_event event;
	int ret;

	switch (run.action) {
	case ACT_CANCEL:
		return meet_cancel(&event);
	case ACT_COMPLETE:
		return ioctl(meet_files.held, PROVIDER_ANSWER);
	case ACT_KICK:
		if (run.row->subject == DRIVER_READ)
			return write(meet_files.other[1], OTHER_DATA, MEET_SIZE);
		if (run.row->subject == PAGE_READ)
			wait_for_device();
		else
			meet_feed(run.row, run.action);
		return MEET_SIZE;
	case ACT_DESTROY:
		return be_destroy(run.ctx);
	case ACT_EXIT:
		_exit(0);
	case ACT_EXEC:
		meet_execute();
	case ACT_MREMAP:
		return move_to(run.places[1]);
	case ACT_MUNMAP:
		return munmap((void *)run.place, run.ring_size);
	case ACT_REUSE:
		reuse();
		return 0;
	case ACT_REUSE_SETUID:
		reuse();
		return become_other();
	case ACT_SETUID:
		return become_other();
	case ACT_CAPSET:
		return drop_capabilities();
	case ACT_GETEVENTS:
		return meet_wait_event();
	case ACT_DEADLINE:
		prep_poll(&run.iocbs[BESIDE], meet_files.other[0], POLLPRI);
		set_deadline(&run.iocbs[BESIDE], &run.deadlines[BESIDE], 0);
		return meet_submit(BESIDE);
	case ACT_SUBMIT:
		prep(&run.iocbs[BESIDE], IOCB_CMD_PREAD, meet_files.other[0], run.bufs[BESIDE],
		     MEET_SIZE, 0);
		return meet_submit(BESIDE);
	case ACT_CONSUME:
		ret = ring_reap(ring_of(run.ctx), &event, 1);
		if (ret == 1)
			meet_note(&event);
		/* for the held task, which finds that the event was taken */
		prep(&run.iocbs[LAST], IOCB_CMD_NOOP, -1, NULL, 0, 0);
		EXPECT_EQ(1, meet_submit(LAST));
		return ret;
	default:
		return -ENOSYS;
	}
}

long meet_expected(void)
{
	bool alive = run.row->context == ALIVE;

	switch (run.action) {
	case ACT_CANCEL:
		return run.row->cancel;
	case ACT_KICK:
		return MEET_SIZE;
	case ACT_DESTROY:
		return alive ? 0 : -EINVAL;
	case ACT_MREMAP:
		/* one that ends is not moved */
		return run.row->context == UNMAPPED ? -EFAULT : alive ? 0 : -EINVAL;
	case ACT_GETEVENTS:
	case ACT_DEADLINE:
	case ACT_SUBMIT:
		return alive ? 1 : -EINVAL;
	case ACT_COMPLETE:
	case ACT_CONSUME:
		return 1;
	default:
		return 0;
	}
}
