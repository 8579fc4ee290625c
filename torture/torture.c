// SPDX-License-Identifier: GPL-2.0
/*
 * torture [--seconds N] [--seed N] [--corpus FILE] [--out DIR] [--module FILE] [--round N]
 *	runs programs for so long in eight lanes; unloads and loads the module every round
 * torture --replay FILE [--times N]	runs the programs of a file
 * torture --minimise FILE [--times N]	drops what a failing program does not need
 * torture --distill FILE		of a corpus, keeps what adds coverage
 *
 * Exit status: 0 if nothing was wrong.  What was is in DIR/fail-*.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torture.h"

#define SHARED_AT	0x200000000000

struct shared *shared;

static const char *out = "/out", *module;
static unsigned long seconds = 180, round_seconds = 60, times = 30;
static uint64_t seed;
static unsigned int nr_lanes = LANES;
static atomic_uint *failures;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void report(const struct program *program, const char *what)
{
	unsigned int number = atomic_fetch_add(failures, 1);
	char path[128];
	FILE *file;

	fprintf(stderr, "torture: WRONG: %s\n", what);
	snprintf(path, sizeof(path), "%s/fail-%u", out, number);
	file = fopen(path, "w");
	if (!file)
		return;
	fprintf(file, "# %s\n", what);
	program_write(file, program);
	fclose(file);
}

static void pause_lane(void)
{
	atomic_fetch_add(&shared->paused, 1);
	while (shared->stop && !shared->over)
		usleep(1000);
	atomic_fetch_sub(&shared->paused, 1);
	kcov_open();
}

static void add(const struct program *program)
{
	unsigned int index = atomic_fetch_add(&shared->corpus_nr, 1);

	if (index < MAX_CORPUS)
		shared->corpus[index] = *program;
	else
		shared->corpus_nr = MAX_CORPUS;
}

static unsigned int corpus_nr(void)
{
	unsigned int nr = shared->corpus_nr;

	return nr < MAX_CORPUS ? nr : MAX_CORPUS;
}

void lane_main(unsigned int number, uint64_t with_seed)
{
	unsigned int first = number;

	random_seed(with_seed + number);
	lane_prepare(number);
	while (!shared->over) {
		struct program program;
		unsigned int nr = corpus_nr(), again = 10;
		bool is_new;

		if (shared->stop) {
			pause_lane();
			continue;
		}
		if (first < nr) {
			/* once through what is known */
			program = shared->corpus[first];
			first += nr_lanes;
		} else if (!nr || !random_below(10)) {
			program_random(&program);
		} else {
			program = shared->corpus[random_below(nr)];
			if (random_below(4))
				program_mutate(&program, &shared->corpus[random_below(nr)]);
			else
				again = 20 + random_below(80);	/* for the races */
		}
		if (lane_try(&program, again, &is_new) == WRONG)
			report(&program, lane->verdict);
		else if (is_new && first >= nr)
			add(&program);
	}
	_exit(0);
}

/* A complaint of the kernel: the line, or NULL. */
static const char *complaint(int kmsg)
{
	static const char *const signs[] = {
		"BUG:", "WARNING:", "Oops", "KASAN", "general protection", "possible recursive",
		"possible circular", "inconsistent lock", "INFO: task", "stall", "refcount_t",
		"bad unlock", "held lock", "lock held when returning",
	};
	static char line[1024];
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		for (unsigned int i = 0; i < ARRAY_SIZE(signs); i++)
			if (strstr(line, signs[i]) && !strstr(line, "userspace"))
				return line;
	}
	return NULL;
}

static unsigned long number_in(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long number = 0;

	if (file && fscanf(file, "%lu", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

/* Sockets that are in flight to each other wait for their garbage collector. */
#define FILES_SLACK 300

/* Nobody uses the module: nothing of it may be there. */
static void check_quiet(void)
{
	static unsigned long files_before;
	unsigned long files = 0;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if (!number_in("/proc/sys/fs/raio-nr") && !number_in("/sys/module/raio/refcnt"))
			break;
		usleep(20000);
	}
	if (i == 1000) {
		char what[128];

		snprintf(what, sizeof(what), "nobody is there, fs.raio-nr is %lu, %lu references",
			 number_in("/proc/sys/fs/raio-nr"), number_in("/sys/module/raio/refcnt"));
		report(&shared->lanes[0].program, what);
	}
	for (i = 0; i < 500; i++) {
		files = number_in("/proc/sys/fs/file-nr");
		if (!files_before || files <= files_before + FILES_SLACK)
			break;
		usleep(20000);
	}
	if (!files_before)
		files_before = files;
	printf("# %lu open files\n", files);
	if (i == 500) {
		char what[128];

		snprintf(what, sizeof(what), "nobody is there, %lu files are open, and were %lu",
			 files, files_before);
		report(&shared->lanes[0].program, what);
	}
}

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void reload(void)
{
	char command[256];

	if (!module)
		return;
	if (run("rmmod raio"))
		report(&shared->lanes[0].program, "rmmod failed");
	if (run("ls -d /sys/kernel/slab/*raio* /proc/sys/fs/raio* 2>/dev/null | grep .") == 0)
		report(&shared->lanes[0].program, "rmmod left something");
	snprintf(command, sizeof(command), "insmod %s && chmod 666 /dev/raio", module);
	if (run(command))
		report(&shared->lanes[0].program, "insmod failed");
}

static void progress(double begun)
{
	double time = now() - begun;

	printf("# %4.0f s: %lu programs, %lu calls (%.0f/s), %lu others, %lu died;", time,
	       shared->programs, shared->calls, shared->calls / (time + 0.1),
	       shared->other_calls, shared->died);
	printf(" %lu taken, %lu events, %lu cancelled; %lu checked (%lu KiB), %lu in order;",
	       shared->taken, shared->events, shared->cancelled, shared->checked,
	       shared->checked_bytes / 1024, shared->ordered);
	printf(" %u kept, %lu edges\n", corpus_nr(), shared->edges);
	printf("# a program: %lu us to start, %lu to run, %lu to end\n",
	       shared->us_start / (shared->programs + 1), shared->us_run / (shared->programs + 1),
	       shared->us_end / (shared->programs + 1));
	fflush(stdout);
}

static void save_corpus(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", out, name);
	file = fopen(path, "w");
	if (!file)
		return;
	for (unsigned int i = 0; i < corpus_nr(); i++)
		program_write(file, &shared->corpus[i]);
	fclose(file);
}

static void load(const char *path, void (*each)(const struct program *program))
{
	FILE *file = fopen(path, "r");
	struct program program;
	int ret = 0;

	if (!file) {
		fprintf(stderr, "torture: %s: %m\n", path);
		exit(2);
	}
	while ((ret = program_read(file, &program)) > 0)
		if (program.nr)
			each(&program);
	if (ret < 0) {
		fprintf(stderr, "torture: %s: not a program\n", path);
		exit(2);
	}
	fclose(file);
}

static void fuzz(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	double begun = now(), last_round = begun, last_word = begun;
	pid_t pids[LANES];

	lseek(kmsg, 0, SEEK_END);
	for (unsigned int i = 0; i < nr_lanes; i++) {
		pids[i] = fork();
		if (!pids[i])
			lane_main(i, seed);
	}
	while (now() - begun < seconds && !*failures) {
		const char *line;

		usleep(200000);
		line = complaint(kmsg);
		if (line) {
			for (unsigned int i = 0; i < nr_lanes; i++)
				report(&shared->lanes[i].program, line);
			break;
		}
		if (now() - last_word >= 30) {
			progress(begun);
			last_word = now();
		}
		if (now() - last_round < round_seconds)
			continue;
		shared->stop = true;
		for (unsigned int i = 0; i < 20000 && shared->paused < nr_lanes; i++)
			usleep(10000);
		if (shared->paused == nr_lanes) {
			check_quiet();
			reload();
		} else {
			report(&shared->lanes[0].program, "the lanes do not end");
		}
		last_round = now();
		shared->stop = false;
		while (shared->paused && !*failures)
			usleep(1000);
	}
	shared->over = true;
	for (unsigned int i = 0; i < nr_lanes; i++)
		waitpid(pids[i], NULL, 0);
	check_quiet();
	progress(begun);
	for (unsigned int i = 0; i < op_types_nr; i++)
		printf("# %s %lu\n", op_types[i].name, shared->used[i]);
	save_corpus("corpus");
}

static unsigned int failed;

static void replay(const struct program *program)
{
	bool is_new;

	for (unsigned int i = 0; i < times; i++) {
		enum outcome outcome = lane_try(program, i & 1 ? 20 : 3, &is_new);

		if (outcome == WRONG) {
			printf("# wrong in round %u: %s\n", i, lane->verdict);
			failed++;
			return;
		}
	}
	printf("# nothing wrong in %lu rounds\n", times);
}

static bool fails(const struct program *program)
{
	bool is_new;

	for (unsigned int i = 0; i < times; i++)
		if (lane_try(program, i & 1 ? 20 : 3, &is_new) == WRONG)
			return true;
	return false;
}

static void minimise(const struct program *given)
{
	struct program program = *given;

	if (!fails(&program)) {
		printf("# it does not fail\n");
		return;
	}
	for (unsigned int i = program.nr; i-- > 0;) {
		struct program less = program;

		less.nr--;
		memmove(&less.ops[i], &less.ops[i + 1], (less.nr - i) * sizeof(less.ops[0]));
		if (less.nr && fails(&less))
			program = less;
	}
	for (unsigned int i = 0; i < program.nr; i++) {
		for (unsigned int j = 0; j < ARGS; j++) {
			struct program less = program;

			less.ops[i].arg[j] = 0;
			if (program.ops[i].arg[j] && fails(&less))
				program = less;
		}
	}
	program_write(stdout, &program);
	failed++;
}

static void distill(const struct program *program)
{
	bool is_new;

	if (lane_try(program, 1, &is_new) != WRONG && is_new)
		add(program);
}

static void alone(const char *path, void (*each)(const struct program *program))
{
	lane_prepare(0);
	load(path, each);
}

enum { SECONDS = 1, SEED, CORPUS, OUT, MODULE, ROUND, REPLAY, MINIMISE, DISTILL, TIMES, NOTHING };

static const struct option options[] = {
	{ "seconds", required_argument, NULL, SECONDS }, { "seed", required_argument, NULL, SEED },
	{ "corpus", required_argument, NULL, CORPUS }, { "out", required_argument, NULL, OUT },
	{ "module", required_argument, NULL, MODULE }, { "round", required_argument, NULL, ROUND },
	{ "replay", required_argument, NULL, REPLAY },
	{ "minimise", required_argument, NULL, MINIMISE },
	{ "distill", required_argument, NULL, DISTILL },
	{ "times", required_argument, NULL, TIMES },
	{ "nothing", no_argument, NULL, NOTHING }, {},
};

int main(int argc, char **argv)
{
	const char *corpus = NULL, *file = NULL;
	int option, what = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case SECONDS:
			seconds = strtoul(optarg, NULL, 0);
			break;
		case SEED:
			seed = strtoull(optarg, NULL, 0);
			break;
		case CORPUS:
			corpus = optarg;
			break;
		case OUT:
			out = optarg;
			break;
		case MODULE:
			module = optarg;
			break;
		case ROUND:
			round_seconds = strtoul(optarg, NULL, 0);
			break;
		case TIMES:
			times = strtoul(optarg, NULL, 0);
			break;
		case REPLAY:
		case MINIMISE:
		case DISTILL:
			what = option;
			file = optarg;
			break;
		case NOTHING:
			return 0;
		default:
			return 2;
		}
	}
	/* Where no pointer of a victim leads with a wrong bit. */
	shared = mmap((void *)SHARED_AT, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	failures = &shared->failures;
	signal(SIGCHLD, SIG_DFL);
	if (corpus)
		load(corpus, add);
	switch (what) {
	case REPLAY:
		alone(file, replay);
		break;
	case MINIMISE:
		alone(file, minimise);
		break;
	case DISTILL:
		alone(file, distill);
		save_corpus("corpus");
		printf("# %u programs, %lu edges\n", corpus_nr(), shared->edges);
		break;
	default:
		if (!seed)
			seed = time(NULL);
		printf("# seed %llu\n", (unsigned long long)seed);
		fuzz();
	}
	return failed || *failures;
}
