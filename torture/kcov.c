// SPDX-License-Identifier: GPL-2.0
/* What the threads of a victim have reached in the module, by KCOV. */
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

#define WORDS	(1UL << 16)

static int fds[THREADS + 1];
static uint64_t *pcs[THREADS + 1];
static __thread int mine = -1;
static uint64_t base;

/* In the lane, once for a load of the module. */
void kcov_open(void)
{
	FILE *text = fopen("/sys/module/raio/sections/.text", "r");

	if (text) {
		unsigned long long at = 0;

		if (fscanf(text, "%llx", &at) == 1)
			base = at;
		fclose(text);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(fds) && !pcs[i]; i++) {
		fds[i] = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
		if (fds[i] < 0 || ioctl(fds[i], KCOV_INIT_TRACE, WORDS))
			return;
		pcs[i] = mmap(NULL, WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fds[i], 0);
		if (pcs[i] == MAP_FAILED)
			pcs[i] = NULL;
	}
}

void kcov_start(unsigned int thread)
{
	if (!pcs[thread] || ioctl(fds[thread], KCOV_ENABLE, KCOV_TRACE_PC))
		return;
	mine = fds[thread];
	__atomic_store_n(&pcs[thread][0], 0, __ATOMIC_RELAXED);
}

void kcov_stop(void)
{
	if (mine >= 0)
		ioctl(mine, KCOV_DISABLE, 0);
	mine = -1;
}

/* An edge is from one place to the next. */
bool kcov_collect(void)
{
	bool any = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(pcs) && pcs[i]; i++) {
		uint64_t nr = pcs[i][0], before = 0;

		for (uint64_t j = 1; j <= nr && j < WORDS; j++) {
			uint64_t here = pcs[i][j] - base;
			unsigned int edge = (here * 0x9e3779b1 ^ before) % EDGES;

			before = here * 0x85ebca6b >> 3;
			if (!shared->edge[edge] && !atomic_exchange(&shared->edge[edge], 1)) {
				atomic_fetch_add(&shared->edges, 1);
				any = true;
			}
		}
		pcs[i][0] = 0;
	}
	return any;
}
