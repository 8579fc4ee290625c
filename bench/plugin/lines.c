// SPDX-License-Identifier: GPL-2.0
/*
 * Lines that go from CPU to CPU: each access that finds that another CPU has written the line since
 * this one has last accessed it, and each write of a line that another CPU has read since.
 *
 * For guests whose CPUs run in threads of their own, as they do without -icount: blocks of code
 * that are translated for one thread take all CPUs for the one that has translated them.
 */
#include <pthread.h>

#include "model.h"

/* Those that have accessed a line since it was last written, by the writer; bits are CPUs. */
struct owner {
	uint64_t line;
	uint8_t writer;
	uint8_t who;
};

/* Each line has one place; 1 GiB of memory has as many. */
static struct owner owners[1 << 24];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t lines_moved;

static bool moves(struct owner *owner, uint8_t me, bool write)
{
	bool moved;

	if (!write) {
		moved = owner->writer && owner->writer != me && !(owner->who & me);
		owner->who |= me;
		return moved;
	}
	moved = (owner->who | owner->writer) & ~me;
	owner->writer = owner->who = me;
	return moved;
}

static void access_memory(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	const bool *counting = data;
	struct owner *owner;
	uint64_t line;

	if (!*counting || cpu >= 8 || !line_of(info, vaddr, &line))
		return;
	owner = &owners[line % (sizeof(owners) / sizeof(owners[0]))];
	pthread_mutex_lock(&lock);
	if (owner->line != line)
		*owner = (struct owner){ .line = line };
	lines_moved += moves(owner, 1 << cpu, qemu_plugin_mem_is_store(info));
	pthread_mutex_unlock(&lock);
}

void lines_translated(struct qemu_plugin_tb *tb, const bool *counting)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), access_memory,
						 QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
						 (void *)counting);
}
