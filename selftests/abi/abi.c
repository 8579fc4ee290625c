// SPDX-License-Identifier: GPL-2.0
/*
 * Description: a program that was built long ago finds the interface that it was built for.
 *
 * Not built with the other tests: abi-N.ARCH are binaries of this file, each as it was
 * when the interface was that of its time, and stay as they are.  See the script build.
 * Without a C library, so that they are small and need nothing.
 */
#include <nolibc.h>
#include <linux/aio_abi.h>
#include <linux/raio.h>

#define EVENTS	8

static int device, file, failed;
static struct raio_setup setup;
static char path[] = "/tmp/raio-abi-XXXXXX";
static char buf[8192] __attribute__((aligned(4096)));

static void check(int ok, const char *what)
{
	if (ok)
		return;
	failed = 1;
	printf("# %s, errno %d\n", what, errno);
}

#define CHECK(condition)	check(condition, #condition)

static void new_context(unsigned int flags)
{
	setup = (struct raio_setup){ .nr_events = EVENTS, .flags = flags };
	CHECK(ioctl(device, RAIO_IOC_SETUP, &setup) == 0 && setup.ctx_id);
}

static void destroy(void)
{
	struct raio_destroy arg = { .ctx_id = setup.ctx_id };

	CHECK(ioctl(device, RAIO_IOC_DESTROY, &arg) == 0);
}

static struct iocb *prep(struct iocb *iocb, unsigned int opcode, int fd, void *data, size_t len,
			 long long offset)
{
	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_data = 0x1122334455667788ULL + opcode;
	iocb->aio_lio_opcode = opcode;
	iocb->aio_fildes = fd;
	iocb->aio_buf = (unsigned long)data;
	iocb->aio_nbytes = len;
	iocb->aio_offset = offset;
	return iocb;
}

static int submit(struct iocb *iocb)
{
	struct iocb *list[] = { iocb };
	struct raio_submit arg = {
		.ctx_id = setup.ctx_id, .nr = 1, .iocbpp = (unsigned long)list };

	return ioctl(device, RAIO_IOC_SUBMIT, &arg);
}

static int get(struct io_event *events, int min_nr, int nr)
{
	struct raio_timespec limit = { .tv_sec = 20 };
	struct raio_getevents arg = {
		.ctx_id = setup.ctx_id, .min_nr = min_nr, .nr = nr,
		.events = (unsigned long)events, .timeout = (unsigned long)&limit };

	return ioctl(device, RAIO_IOC_GETEVENTS, &arg);
}

/* Its result, which is its event's. */
static long long run(struct iocb *iocb)
{
	struct io_event event = { 0 };

	if (submit(iocb) != 1)
		return -errno;
	CHECK(get(&event, 1, 1) == 1);
	CHECK(event.data == iocb->aio_data && event.obj == (unsigned long)iocb);
	return event.res;
}

static void test_info(void)
{
	struct raio_info info = { 0 };

	CHECK(ioctl(device, RAIO_IOC_INFO, &info) == 0);
	CHECK(info.major == RAIO_API_MAJOR && info.minor >= RAIO_API_MINOR);
	CHECK(info.opcodes & 1ULL << IOCB_CMD_PREAD && info.opcodes & 1ULL << RAIO_CMD_SYNC_FILE_RANGE);
	CHECK((info.features & 0x3ff) == 0x3ff);
	CHECK((info.setup_flags & 7) == 7);
	CHECK(info.max_events && info.max_nr && info.max_user_nr);
}

static void test_transfer(void)
{
	struct iovec vec[2] = { { buf, 3 }, { buf + 100, 5 } };
	struct iocb iocb;

	new_context(0);
	memcpy(buf, "abcdefgh", 8);
	CHECK(run(prep(&iocb, IOCB_CMD_PWRITE, file, buf, 8, 0)) == 8);
	CHECK(run(prep(&iocb, IOCB_CMD_FSYNC, file, NULL, 0, 0)) == 0);
	CHECK(run(prep(&iocb, IOCB_CMD_FDSYNC, file, NULL, 0, 0)) == 0);
	memset(buf, 0, sizeof(buf));
	CHECK(run(prep(&iocb, IOCB_CMD_PREADV, file, vec, 2, 0)) == 8);
	CHECK(memcmp(buf, "abc", 3) == 0 && memcmp(buf + 100, "defgh", 5) == 0);
	CHECK(run(prep(&iocb, IOCB_CMD_PWRITEV, file, vec, 2, 8)) == 8);
	CHECK(run(prep(&iocb, IOCB_CMD_PREAD, file, buf, 64, 0)) == 16);
	CHECK(memcmp(buf, "abcdefghabcdefgh", 16) == 0);
	CHECK(run(prep(&iocb, RAIO_CMD_SYNC_FILE_RANGE, file, NULL, 16, 0)) == 0);
	CHECK(run(prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0)) == 0);
	CHECK(run(prep(&iocb, IOCB_CMD_PREAD, -1, buf, 1, 0)) == -EBADF);
	CHECK(run(prep(&iocb, 31, file, buf, 1, 0)) == -EINVAL);
	destroy();
}

static void test_flags(void)
{
	struct raio_deadline deadline = { .time.tv_nsec = 1000000 };
	struct iocb iocb;
	int fds[2];

	new_context(0);
	lseek(file, 2, SEEK_SET);
	prep(&iocb, IOCB_CMD_PREAD, file, buf, 4, -1)->aio_flags = RAIO_IOCB_FLAG_CUR_POS;
	CHECK(run(&iocb) == 4 && memcmp(buf, "cdef", 4) == 0);
	CHECK(lseek(file, 0, SEEK_CUR) == 6);
	prep(&iocb, IOCB_CMD_FSYNC, file, NULL, 4, 0)->aio_flags = RAIO_IOCB_FLAG_RANGE;
	CHECK(run(&iocb) == 0);
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0)->aio_flags = RAIO_IOCB_FLAG_BARRIER;
	CHECK(run(&iocb) == 0);
	CHECK(pipe(fds) == 0);
	prep(&iocb, IOCB_CMD_PREAD, fds[0], buf, 1, 0)->aio_flags = RAIO_IOCB_FLAG_DEADLINE;
	iocb.aio_reserved2 = (unsigned long)&deadline;
	CHECK(run(&iocb) == -ETIME);
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0)->aio_flags = 1 << 16;
	CHECK(run(&iocb) == -EINVAL);
	close(fds[0]);
	close(fds[1]);
	destroy();
}

static void test_cancel(void)
{
	struct raio_cancel arg = { 0 };
	struct io_event event = { 0 };
	struct iocb iocb;
	int fds[2];

	new_context(0);
	CHECK(pipe(fds) == 0);
	prep(&iocb, IOCB_CMD_POLL, fds[0], (void *)1, 0, 0);
	CHECK(submit(&iocb) == 1);
	arg.ctx_id = setup.ctx_id;
	arg.iocb = (unsigned long)&iocb;
	arg.result = (unsigned long)&event;
	CHECK(ioctl(device, RAIO_IOC_CANCEL, &arg) == 0);
	CHECK(event.obj == (unsigned long)&iocb && event.res == -ECANCELED);
	destroy();

	new_context(RAIO_SETUP_CANCEL_EVENT);
	CHECK(submit(&iocb) == 1);
	arg.ctx_id = setup.ctx_id;
	CHECK(ioctl(device, RAIO_IOC_CANCEL, &arg) == -1 && errno == EINPROGRESS);
	CHECK(get(&event, 1, 1) == 1 && event.res == -ECANCELED);
	close(fds[0]);
	close(fds[1]);
	destroy();
}

static void test_enter(void)
{
	struct raio_timespec limit = { .tv_sec = 20 };
	struct io_event events[2] = { 0 };
	struct iocb iocbs[2], *list[] = { &iocbs[0], &iocbs[1] };
	struct raio_enter arg = {
		.nr = 2, .iocbpp = (unsigned long)list, .min_events = 2, .nr_events = 2,
		.events = (unsigned long)events, .timeout = (unsigned long)&limit };

	new_context(RAIO_SETUP_SYNC_WRITES);
	arg.ctx_id = setup.ctx_id;
	prep(&iocbs[0], IOCB_CMD_PWRITE, file, buf, 4, 0);
	prep(&iocbs[1], IOCB_CMD_NOOP, -1, NULL, 0, 0);
	CHECK(ioctl(device, RAIO_IOC_ENTER, &arg) == 2);
	CHECK(arg.submitted == 2);
	CHECK(events[0].res + events[1].res == 4);
	destroy();
}

static void test_register(void)
{
	struct iovec vec = { buf, sizeof(buf) };
	struct raio_register arg = { .opcode = RAIO_REGISTER_BUFFERS, .nr = 1,
				     .array = (unsigned long)&vec };
	struct iocb iocb;
	int fds[] = { file };

	new_context(RAIO_SETUP_NO_THREADS);
	arg.ctx_id = setup.ctx_id;
	CHECK(ioctl(device, RAIO_IOC_REGISTER, &arg) == 0);
	arg.opcode = RAIO_REGISTER_FILES;
	arg.array = (unsigned long)fds;
	CHECK(ioctl(device, RAIO_IOC_REGISTER, &arg) == 0);
	prep(&iocb, IOCB_CMD_PREAD, 0, buf + 4096, 8, 8);
	iocb.aio_flags = RAIO_IOCB_FLAG_FIXED_BUFFER | RAIO_IOCB_FLAG_FIXED_FILE;
	CHECK(run(&iocb) == 8 && memcmp(buf + 4096, "abcdefgh", 8) == 0);
	arg.array = arg.nr = 0;
	arg.opcode = RAIO_UNREGISTER_FILES;
	CHECK(ioctl(device, RAIO_IOC_REGISTER, &arg) == 0);
	arg.opcode = RAIO_UNREGISTER_BUFFERS;
	CHECK(ioctl(device, RAIO_IOC_REGISTER, &arg) == 0);
	destroy();
}

/* The id is the address of the ring, whose events the program consumes itself. */
static void test_ring(void)
{
	volatile struct raio_ring *ring;
	struct io_event *events;
	struct iocb iocb;

	new_context(0);
	ring = (void *)(unsigned long)setup.ctx_id;
	CHECK(ring->magic == RAIO_RING_MAGIC && ring->id == (unsigned int)setup.ctx_id);
	CHECK(ring->header_length == sizeof(*ring) && ring->nr > EVENTS);
	CHECK(ring->compat_features & RAIO_RING_COMPAT_FEATURES);
	CHECK(ring->incompat_features == RAIO_RING_INCOMPAT_FEATURES);
	events = (void *)((char *)ring + ring->header_length);
	prep(&iocb, IOCB_CMD_NOOP, -1, NULL, 0, 0);
	CHECK(submit(&iocb) == 1);
	CHECK(ring->head == 0 && ring->tail == 1);
	CHECK(events[0].data == iocb.aio_data && events[0].obj == (unsigned long)&iocb);
	CHECK(events[0].res == 0 && events[0].res2 == 0);
	ring->head = 1;
	CHECK(run(&iocb) == 0);
	CHECK(ring->head == 2 && ring->tail == 2);
	destroy();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "info", test_info },
	{ "transfer", test_transfer },
	{ "flags", test_flags },
	{ "cancel", test_cancel },
	{ "enter", test_enter },
	{ "register", test_register },
	{ "ring", test_ring },
};

int main(int argc, char **argv)
{
	unsigned int i, count = sizeof(tests) / sizeof(tests[0]);
	int bad = 0;

	if (argc > 1 && !strcmp(argv[1], "--list")) {
		printf("native: no\n");
		return 0;
	}
	printf("KTAP version 1\n1..%d\n", count);
	device = open("/dev/raio", O_RDWR);
	file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(device >= 0 && file >= 0);
	unlink(path);
	for (i = 0; i < count; i++) {
		tests[i].run();
		printf("%sok %d %s\n", failed ? "not " : "", i + 1, tests[i].name);
		bad |= failed;
		failed = 0;
	}
	return bad;
}
