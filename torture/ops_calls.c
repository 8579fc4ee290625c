// SPDX-License-Identifier: GPL-2.0
/* The ioctls, right for the most part. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "victim.h"

#define MOST		64
#define DOORS_FROM	300
#define HAMMER_MOST	8000
#define HAMMER_US	5000000		/* of one operation, on a busy host */

static atomic_int doors[2] = { -1, -1 };

static int door(unsigned int selector)
{
	atomic_int *door = &doors[selector & 1];
	int fd = *door, none = -1;

	if (fd >= 0)
		return fd;
	fd = COUNTED(open("/dev/raio", O_RDWR | O_CLOEXEC));
	if (fd >= 0) {
		/* Beyond the numbers that are closed and used again. */
		int high = fcntl(fd, F_DUPFD_CLOEXEC, DOORS_FROM);

		if (high >= 0) {
			close(fd);
			fd = high;
		}
	}
	if (!atomic_compare_exchange_strong(door, &none, fd)) {
		close(fd);
		fd = none;
	}
	return fd;
}

void doors_open(void)
{
	door(0);
	door(1);
}

/* Through either open file: a context belongs to the address space. */
static long call_by(unsigned int selector, unsigned int cmd, void *arg)
{
	long ret = ioctl(door(selector), cmd, arg);

	atomic_fetch_add_explicit(&shared->calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&steps_of[thread_number], 1, memory_order_relaxed);
	return ret < 0 ? -errno : ret;
}

long raio_call(unsigned int cmd, void *arg)
{
	return call_by(0, cmd, arg);
}

static struct __kernel_timespec times[8] = {
	{ 0, 0 }, { 0, 1 }, { 0, 1000000 }, { 0, 3000000 }, { 0, 10000000 }, { -1, 0 },
	{ 0, 999999999999 }, { INT64_MAX, INT64_MAX },
};

static uint64_t timeout_of(unsigned int selector)
{
	selector &= 15;
	return selector < 8 ? (uintptr_t)&times[selector & 3] :
	       selector < 15 ? (uintptr_t)&times[selector & 7] : 0;
}

OP(info)
{
	struct raio_info info;

	call_by(arg[0], RAIO_IOC_INFO, arg[1] % 16 ? &info : memory_at(arg[2]));
}

OP(setup)
{
	static const unsigned int numbers[8] = { 64, 1, 128, 2, 256, 1000, 63, 7 };
	struct raio_setup setup = {
		.nr_events = numbers[arg[1] & 7], .flags = arg[2] & 7,
	};
	unsigned int slot = arg[0] % CONTEXTS;
	struct raio_destroy destroy = {};
	struct context *context, *old;

	if (arg[3] >> 12 == 1) {
		setup.nr_events = arg[4] << 16 | arg[5];
		setup.flags = arg[2];
	}
	old = context_get(slot);
	if (old && !old->dead)
		slot = (slot + 1) % CONTEXTS;
	old = context_get(slot);
	if (old && !old->dead)
		return;
	if (call_by(arg[3], RAIO_IOC_SETUP, &setup))
		return;
	context = context_new(setup.ctx_id, setup.nr_events, setup.flags);
	/* Another thread may have been first. */
	if (context && __atomic_compare_exchange_n(&contexts[slot], &old, context, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	destroy.ctx_id = setup.ctx_id;
	if (raio_call(RAIO_IOC_DESTROY, &destroy) && !is_tampered())
		wrong("a context can't be destroyed");
}

OP(destroy)
{
	struct context *context = context_get(arg[0]);
	struct raio_destroy destroy = { .flags = arg[1] >> 12 == 1 };
	long ret;

	if (!context)
		return;
	if (atomic_exchange(&context->moving, true))
		return;
	destroy.ctx_id = context->id;
	if (!destroy.flags) {
		note_lost();
		/* Another one may have its id now. */
		if (atomic_exchange(&context->dead, true))
			return;
	}
	ret = call_by(arg[1], RAIO_IOC_DESTROY, &destroy);
	context->moving = false;
	if (ret == 0 && destroy.flags)
		wrong("destroy took unknown flags");
}

OP(submit)
{
	struct context *context = context_get(arg[0]);
	struct iocb *list[MOST];
	struct record *records[MOST];
	struct raio_submit submit = {};
	unsigned int n;
	long ret;

	if (!context)
		return;
	n = requests_make(context, 1 + arg[1] % (arg[1] < 64 ? 8 : MOST), arg, list, records);
	submit.ctx_id = context->id;
	submit.nr = n;
	submit.iocbpp = (uintptr_t)list;
	if (arg[5] >> 10 == 0x3f)
		submit.iocbpp = (uintptr_t)hostile_copy(arg[1], list, n * sizeof(*list));
	ret = call_by(arg[1] >> 8, RAIO_IOC_SUBMIT, &submit);
	if (ret > (long)n)
		wrong("%ld of %u were taken", ret, n);
	requests_submitted(context, records, n, ret < 0 ? 0 : ret);
}

OP(enter)
{
	struct context *context = context_get(arg[0]);
	struct io_event events[MOST];
	struct iocb *list[MOST];
	struct record *records[MOST];
	struct raio_enter enter = {};
	unsigned int n;
	long ret;

	if (!context)
		return;
	n = arg[1] % 16 == 15 ? 0 : requests_make(context, 1 + arg[1] % 8, arg, list, records);
	enter.ctx_id = context->id;
	enter.nr = n;
	enter.iocbpp = (uintptr_t)list;
	enter.min_events = arg[1] >> 4 & 3;
	enter.nr_events = 1 + (arg[1] >> 6) % MOST;
	enter.events = (uintptr_t)events;
	enter.timeout = timeout_of(arg[1] >> 12);
	ret = raio_call(RAIO_IOC_ENTER, &enter);
	if (enter.submitted < 0 || enter.submitted > n || ret > enter.nr_events)
		wrong("enter: %ld events, %lld of %u taken", ret, (long long)enter.submitted, n);
	if (ret > 0 && !context->tampered)
		events_seen(events, ret);
	requests_submitted(context, records, n, enter.submitted);
}

OP(getevents)
{
	struct context *context = context_get(arg[0]);
	struct io_event events[MOST];
	uint64_t set = 1ULL << (SIGUSR2 - 1);
	struct raio_getevents get = {};
	long ret;

	if (!context)
		return;
	get.ctx_id = context->id;
	get.min_nr = arg[1] & 3;
	get.nr = 1 + (arg[1] >> 2) % MOST;
	get.events = (uintptr_t)events;
	get.timeout = timeout_of(arg[2]);
	if (arg[3] & 1) {
		get.sigmask = (uintptr_t)&set;
		get.sigsetsize = arg[3] >> 8 == 0x80 ? arg[4] : 8;
	}
	if (arg[3] >> 12 == 1) {
		/* None is consumed if they can't be told. */
		context->tampered = true;
		get.events = (uintptr_t)memory_at(arg[4]);
	}
	if (arg[3] >> 12 == 2)
		get.timeout = (uintptr_t)memory_at(arg[4]);
	if (arg[3] >> 12 == 3)
		get.min_nr = (int16_t)arg[4];
	ret = call_by(arg[3] >> 1, RAIO_IOC_GETEVENTS, &get);
	if (ret > get.nr)
		wrong("%ld events of %lld", ret, (long long)get.nr);
	if (ret > 0)
		events_seen(events, context->tampered ? 0 : ret);
}

OP(cancel)
{
	struct context *context = context_get(arg[0]);
	struct io_event event = { .data = 1 };
	struct raio_cancel cancel = {};
	struct record *record;
	long ret;

	if (!context)
		return;
	record = request_pending(context, arg[1]);
	if (!record)
		record = &context->records[arg[1] % RECORDS];
	cancel.ctx_id = context->id;
	cancel.iocb = arg[2] >> 12 == 1 ? (uintptr_t)memory_at(arg[3]) : (uintptr_t)record->address;
	cancel.result = (uintptr_t)&event;
	if (arg[2] >> 12 == 2) {
		context->tampered = true;
		cancel.result = (uintptr_t)memory_at(arg[3]);
	}
	ret = call_by(arg[2], RAIO_IOC_CANCEL, &cancel);
	if (ret == 0)
		cancel_seen(context, &event);
}

OP(register)
{
	struct context *context = context_get(arg[0]);
	struct iovec { void *base; size_t len; } vec[16] = {};
	int32_t fds[KINDS];
	struct raio_register reg = {};
	unsigned int n = ARRAY_SIZE(vec);

	if (!context)
		return;
	reg.ctx_id = context->id;
	reg.opcode = arg[1] & 3;
	if (reg.opcode == RAIO_REGISTER_BUFFERS) {
		for (unsigned int i = 0; i < 8; i++) {
			vec[i].base = arg[2] >> i & 1 ? memory_at(arg[3] + i * 5) : NULL;
			vec[i].len = vec[i].base ? 4096 : 0;
		}
		vec[8].base = context->memory;
		vec[8].len = arg[4] & 1 ? RECORDS * BUFFER : 16 * BUFFER;
		n = 9;
		reg.array = (uintptr_t)vec;
	} else if (reg.opcode == RAIO_REGISTER_FILES) {
		for (unsigned int i = 0; i < KINDS; i++)
			fds[i] = files[i].fd;
		n = KINDS;
		reg.array = (uintptr_t)fds;
	} else {
		n = 0;
	}
	reg.nr = n;
	if (arg[4] >> 12 == 1)
		reg.nr = arg[5];
	if (arg[4] >> 12 == 2)
		reg.array = (uintptr_t)memory_at(arg[5]);
	raio_call(RAIO_IOC_REGISTER, &reg);
}

/* Any number, and any argument. */
OP(raw)
{
	static const unsigned int known[8] = {
		RAIO_IOC_INFO, RAIO_IOC_SETUP, RAIO_IOC_DESTROY, RAIO_IOC_SUBMIT, RAIO_IOC_CANCEL,
		RAIO_IOC_GETEVENTS, RAIO_IOC_ENTER, RAIO_IOC_REGISTER,
	};
	struct context *context = context_get(arg[0]);
	uint64_t words[16] = {};
	unsigned int cmd = known[arg[1] & 7];

	/* It may take requests and events that nobody counts. */
	if (context)
		context->tampered = true;
	words[0] = context ? context->id : 0;
	for (unsigned int i = 1; i < ARRAY_SIZE(words); i++)
		words[i] = arg[2] >> i & 1 ? (int16_t)arg[3] : arg[4] >> i & 1 ?
			   (uintptr_t)memory_at(arg[5] + i) : 0;
	if (arg[1] >> 12 == 1)
		cmd ^= 1U << (arg[1] >> 3 & 31);
	if (cmd == RAIO_IOC_SETUP)
		note_tampered();
	if (cmd == RAIO_IOC_DESTROY && context) {
		/* Another one may have its id next. */
		context->dead = true;
		note_tampered();
	}
	call_by(arg[1], cmd, arg[1] >> 12 == 2 ? memory_at(arg[5]) : words);
}

OP(poll_door)
{
	struct pollfd poll_fd = { .fd = door(arg[0]), .events = POLLIN | POLLOUT };
	static atomic_int epoll = -1;
	struct epoll_event event = { .events = EPOLLIN | (arg[1] & 1 ? EPOLLET : 0) };

	if (arg[2] & 1) {
		COUNTED(poll(&poll_fd, 1, arg[2] % 4));
		return;
	}
	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	COUNTED(epoll_ctl(epoll, arg[1] & 2 ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, poll_fd.fd, &event));
	COUNTED(epoll_wait(epoll, &event, 1, arg[2] % 4));
	/* An epoll set as the file of others. */
	COUNTED(epoll_ctl(file_of(EPOLL)->fd, EPOLL_CTL_ADD, poll_fd.fd, &event));
}

/* Many small ones, while others do whatever they do; of a thread not too many in all. */
OP(hammer)
{
	static __thread unsigned int left = HAMMER_MOST;
	unsigned int times = (arg[1] & 0xc00) == 0xc00 ? HAMMER_MOST / 4 : 20 + arg[1] % 300;
	uint16_t submit[ARGS] = { arg[0], arg[1] & 7, arg[2], arg[3], arg[4], arg[5] & 0x3f };
	uint16_t get[ARGS] = { arg[0], 0xfc | (arg[1] & 1), arg[1] >> 3 & 3 };
	uint16_t cancel[ARGS] = { arg[0], arg[2] };
	uint64_t end = now_us() + HAMMER_US;

	if (!context_get(arg[0]))
		return;
	for (; times && left && now_us() < end; times--, left--) {
		if (arg[1] & 0x100)
			op_enter(submit);
		else
			op_submit(submit);
		if (arg[1] & 0x200) {
			cancel[1] += 7;
			op_cancel(cancel);
		}
		op_getevents(get);
		submit[4] += 8;
	}
}

/* As libaio and fio do: without a call.  Only one thread may. */
OP(reap)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	struct context *context = context_get(arg[0]);
	struct raio_ring *ring;
	unsigned int head, tail;

	if (!context || context->dead || context->tampered || is_tampered())
		return;
	if (atomic_flag_test_and_set(&busy))
		return;
	ring = (struct raio_ring *)context->id;
	while (!context->dead) {
		struct io_event event;

		head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
		if (head == tail || ring->magic != RAIO_RING_MAGIC)
			break;
		event = ((struct io_event *)((char *)ring + ring->header_length))[head % ring->nr];
		if (!__atomic_compare_exchange_n(&ring->head, &head, (head + 1) % ring->nr, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		events_seen(&event, 1);
	}
	atomic_flag_clear(&busy);
}

/* Contexts stay when their open file is closed. */
OP(door)
{
	int fd = files_are_split() ? -1 : atomic_exchange(&doors[arg[0] & 1], -1);

	if (fd >= 0)
		COUNTED(close(fd));
}

/* All that is pending has its event, and the contexts end. */
void contexts_end(void)
{
	/* By a limit of its own it has no open file any more: its exit ends its contexts then. */
	if (door(0) < 0) {
		note_tampered();
		return;
	}
	for (unsigned int slot = 0; slot < CONTEXTS; slot++) {
		struct context *context = contexts[slot];

		for (unsigned int i = 0; context && i < 4000 && !context->dead &&
		     !context->tampered && !is_tampered(); i++) {
			struct io_event events[MOST];
			struct raio_getevents get = {
				.ctx_id = context->id, .min_nr = 1, .nr = MOST,
				.events = (uintptr_t)events, .timeout = (uintptr_t)&times[2],
			};
			struct record *record = request_pending(context, i);
			uint16_t cancel[ARGS] = { slot, i };
			long ret;

			if (!record)
				break;
			ret = raio_call(RAIO_IOC_GETEVENTS, &get);
			if (ret > 0)
				events_seen(events, ret);
			else if (ret < 0 && ret != -EINTR)
				wrong("getevents at the end: %ld", ret);
			for (unsigned int j = 0; j < KINDS; j++) {
				file_feed(&files[j], 63);
				file_drain(&files[j]);
			}
			/* Each can keep this thread until the time is up. */
			for (unsigned int j = 0; i > 4 && j < RECORDS; j++) {
				cancel[1] = j;
				if (context->records[j].pending)
					op_cancel(cancel);
			}
			if (i == 3999)
				wrong("no event: opcode %u, file %td, flags %#x, offset %lld",
				      record->iocb.aio_lio_opcode, record->file - files,
				      record->iocb.aio_flags, (long long)record->iocb.aio_offset);
		}
	}
	order_check();
	for (unsigned int slot = 0; slot < CONTEXTS; slot++) {
		struct context *context = contexts[slot];
		struct raio_destroy destroy = { .ctx_id = context ? context->id : 0 };
		long ret;

		if (!context || context->dead)
			continue;
		ret = raio_call(RAIO_IOC_DESTROY, &destroy);
		if (ret && !context->tampered && !is_tampered())
			wrong("destroy at the end: %ld", ret);
	}
}
