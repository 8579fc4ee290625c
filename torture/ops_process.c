// SPDX-License-Identifier: GPL-2.0
/* What happens to the process. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

static void reap_child(pid_t pid)
{
	int status;

	if (pid <= 0)
		return;
	for (unsigned int i = 0; waitpid(pid, &status, WNOHANG | __WALL) == 0; i++) {
		if (i == 2000)
			kill(pid, SIGKILL);
		usleep(1000);
	}
}

/* The child has none of the contexts, and its parent's files. */
OP(fork)
{
	pid_t pid = COUNTED(fork());

	if (!pid) {
		alarm(5);
		struct context *context = context_get(arg[0]);
		struct raio_destroy destroy = { .ctx_id = context ? context->id : 0 };
		struct raio_setup setup = { .nr_events = 8 };

		if (raio_call(RAIO_IOC_DESTROY, &destroy) == 0)
			_exit(3);
		raio_call(RAIO_IOC_SETUP, &setup);
		if (arg[1] & 1)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	reap_child(pid);
}

OP(vfork)
{
	pid_t pid = COUNTED(vfork());

	if (!pid) {
		if (arg[0] & 1)
			execl("/proc/self/exe", "torture", "--nothing", NULL);
		_exit(0);
	}
	reap_child(pid);
}

/* The contexts end with the process' memory. */
OP(exec)
{
	if (arg[0] >> 13 != 7)
		return;
	note_tampered();
	COUNTED(execl("/proc/self/exe", "torture", "--nothing", NULL));
}

static int use_contexts(void *data)
{
	const uint16_t *arg = data;
	struct raio_info info;

	raio_call(RAIO_IOC_INFO, &info);
	if (arg[1] & 1)
		op_submit((uint16_t[ARGS]){ arg[0], 1, arg[2], arg[3], 0, 0 });
	if (arg[1] & 2)
		op_getevents((uint16_t[ARGS]){ arg[0], 4, 2 });
	if (arg[1] & 4)
		op_destroy((uint16_t[ARGS]){ arg[0] });
	_exit(0);
}

/* Another process in the same memory. */
OP(clone_vm)
{
	size_t size = 256 * 1024;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint16_t copy[ARGS];
	int flags = CLONE_VM | SIGCHLD | (arg[4] & 1 ? CLONE_FILES : 0) |
		    (arg[4] & 2 ? CLONE_FS : 0);

	if (stack == MAP_FAILED)
		return;
	memcpy(copy, arg, sizeof(copy));
	if (!(flags & CLONE_FILES))
		files_split();
	reap_child(COUNTED(clone(use_contexts, stack + size, flags, copy)));
}

OP(unshare)
{
	static const int flags[8] = {
		CLONE_FILES, CLONE_FS, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID, CLONE_SYSVSEM,
		CLONE_NEWNET, CLONE_NEWIPC,
	};

	if (!(arg[0] & 7))
		files_split();
	COUNTED(unshare(flags[arg[0] & 7]));
}

OP(creds)
{
	switch (arg[0] & 3) {
	case 0:
		/* of this thread alone; of no lane */
		COUNTED(syscall(SYS_setresuid, -1, 2000 + (arg[1] & 1), -1));
		break;
	case 1:
		COUNTED(syscall(SYS_setresgid, -1, 1000, -1));
		break;
	case 2:
		COUNTED(setresuid(1000 + lane_number, 1000 + lane_number, 1000 + lane_number));
		break;
	case 3:
		COUNTED(syscall(SYS_prctl, 8 /* PR_SET_KEEPCAPS */, arg[1] & 1));
		break;
	}
}

OP(limit)
{
	static const int which[4] = { RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_NICE };
	struct rlimit limit;

	if (getrlimit(which[arg[0] & 3], &limit))
		return;
	limit.rlim_cur = arg[1] & 1 ? limit.rlim_max : arg[1] & 0x3ff;
	COUNTED(setrlimit(which[arg[0] & 3], &limit));
}

OP(signal)
{
	static const int signals[4] = { SIGUSR1, SIGALRM, SIGWINCH, SIGCHLD };
	unsigned int to = arg[0] % (THREADS + 1);

	if (arg[1] >> 12 == 1)
		COUNTED(kill(getpid(), SIGUSR2));	/* blocked, for the signalfd */
	else if (thread_ids[to])
		COUNTED(syscall(SYS_tgkill, getpid(), thread_ids[to], signals[arg[1] & 3]));
}

OP(pause)
{
	if (arg[0] & 1)
		sched_yield();
	else
		usleep(arg[1] % 1000);
}

/* With whatever is in flight. */
OP(exit)
{
	if (arg[0] >> 13 != 7)
		return;
	note_tampered();
	if (arg[0] & 1)
		kill(getpid(), SIGKILL);
	_exit(0);
}
