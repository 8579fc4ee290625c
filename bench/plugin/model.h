/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a count of instructions does not see: caches and branches that were predicted wrong
 * (model.c), and lines that go from CPU to CPU (lines.c).
 */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu.h"

#define LINE_SHIFT	6

/* The line that is accessed, by its physical address; false if it is a device's. */
static inline bool line_of(qemu_plugin_meminfo_t info, uint64_t vaddr, uint64_t *line)
{
	struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);

	if (!address || qemu_plugin_hwaddr_is_io(address))
		return false;
	*line = qemu_plugin_hwaddr_phys_addr(address) >> LINE_SHIFT;
	return true;
}

struct model_sums {
	uint64_t code;		/* lines that L1i did not have */
	uint64_t data;		/* lines that L1d did not have */
	uint64_t l2;		/* those of both that L2 did not have either */
	uint64_t wrong;		/* branches */
};

/* Since the start. */
extern struct model_sums model_sums;

/* For each block that is translated: what is run of it counts while *counting. */
void model_translated(struct qemu_plugin_tb *tb, const bool *counting);

/* Accesses, since the start, to a line that another CPU has, if that or this access writes. */
extern uint64_t lines_moved;

/* As above. */
void lines_translated(struct qemu_plugin_tb *tb, const bool *counting);

#endif /* BENCH_MODEL_H */
