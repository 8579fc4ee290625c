// SPDX-License-Identifier: GPL-2.0
/*
 * A model of caches and of branch prediction, for a guest with one CPU: L1i and L1d of 32 KiB,
 * 8 ways, and an L2 of 1 MiB, 16 ways; lines of 64 bytes, of which the one that was not used
 * for longest makes room (LRU).  L2 need not have what an L1 has.
 *
 * Conditional branches are predicted by gshare, 16384 counters of 2 bits and the last 14
 * branches; indirect ones by where they went the last time, 4096 of them; returns by a stack of
 * 32 calls.
 *
 * What is not in it: prefetching, TLBs and page walks, what runs ahead of a wrong branch, and
 * the time that any of it takes.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* The lines of code are known by their virtual address, so as not to be found as data. */
#define CODE		(1ULL << 63)

#define L1_SETS		64
#define L1_WAYS		8
#define L2_SETS		1024
#define L2_WAYS		16

#define COUNTERS	(1 << 14)
#define TARGETS		(1 << 12)
#define CALLS		32

/* How a block ends. */
enum end {
	END_OTHER,
	END_CONDITIONAL,
	END_INDIRECT,
	END_CALL,
	END_INDIRECT_CALL,
	END_RETURN,
};

struct block {
	const bool *counting;
	uint64_t address;
	uint64_t last;		/* where its last instruction is */
	uint64_t next;		/* where the next one in memory is */
	enum end end;
};

struct model_sums model_sums;

/* Ways are in order, the one that was used last first; 0 is none. */
static struct cpu {
	uint64_t code[L1_SETS][L1_WAYS];
	uint64_t data[L1_SETS][L1_WAYS];
	uint64_t l2[L2_SETS][L2_WAYS];
	uint64_t fetched;	/* the line of code that was run last */
	const struct block *before;
	uint32_t history;
	uint8_t counters[COUNTERS];
	uint64_t targets[TARGETS];
	uint64_t calls[CALLS];
	unsigned int depth;
} the_cpu;

/* Whether the set has the line, which is the first in it then. */
static bool use(uint64_t *set, unsigned int ways, uint64_t line)
{
	unsigned int i;
	bool hit;

	if (set[0] == line)
		return true;
	for (i = 1; i < ways - 1 && set[i] != line; i++)
		;
	hit = set[i] == line;
	memmove(set + 1, set, i * sizeof(*set));
	set[0] = line;
	return hit;
}

static bool in_l2(struct cpu *cpu, uint64_t line)
{
	return use(cpu->l2[line % L2_SETS], L2_WAYS, line);
}

static void fetch(struct cpu *cpu, uint64_t line)
{
	line |= CODE;
	if (line == cpu->fetched)
		return;
	cpu->fetched = line;
	if (use(cpu->code[line % L1_SETS], L1_WAYS, line))
		return;
	model_sums.code++;
	if (!in_l2(cpu, line))
		model_sums.l2++;
}

static void access_memory(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	const bool *counting = data;
	uint64_t line;

	if (!*counting || !line_of(info, vaddr, &line))
		return;
	if (use(the_cpu.data[line % L1_SETS], L1_WAYS, line))
		return;
	model_sums.data++;
	if (!in_l2(&the_cpu, line))
		model_sums.l2++;
}

static bool is_conditional_wrong(struct cpu *cpu, uint64_t from, bool taken)
{
	uint8_t *counter = &cpu->counters[(from ^ cpu->history) % COUNTERS];
	bool wrong = (*counter >= 2) != taken;

	if (taken && *counter < 3)
		++*counter;
	else if (!taken && *counter)
		--*counter;
	cpu->history = (cpu->history << 1 | taken) % COUNTERS;
	return wrong;
}

static bool is_indirect_wrong(struct cpu *cpu, uint64_t from, uint64_t to)
{
	uint64_t *target = &cpu->targets[from % TARGETS];
	bool wrong = *target != to;

	*target = to;
	return wrong;
}

/* The CPU goes on at an address after a block. */
static bool is_wrong(struct cpu *cpu, const struct block *block, uint64_t to)
{
	switch (block->end) {
	case END_CONDITIONAL:
		return is_conditional_wrong(cpu, block->last, to != block->next);
	case END_INDIRECT:
		return is_indirect_wrong(cpu, block->last, to);
	case END_INDIRECT_CALL:
		cpu->calls[cpu->depth++ % CALLS] = block->next;
		return is_indirect_wrong(cpu, block->last, to);
	case END_CALL:
		cpu->calls[cpu->depth++ % CALLS] = block->next;
		return false;
	case END_RETURN:
		return cpu->calls[--cpu->depth % CALLS] != to;
	default:
		return false;
	}
}

static void run(unsigned int number, void *data)
{
	const struct block *block = data;
	struct cpu *cpu = &the_cpu;

	if (!*block->counting) {
		cpu->before = NULL;
		return;
	}
	if (cpu->before && is_wrong(cpu, cpu->before, block->address))
		model_sums.wrong++;
	cpu->before = block;
	for (uint64_t line = block->address >> LINE_SHIFT; line <= block->last >> LINE_SHIFT; line++)
		fetch(cpu, line);
}

static enum end end_of(const unsigned char *code, size_t len)
{
	size_t i = 0;

	/* Prefixes, such as notrack, bnd, and those of 64 bits. */
	while (i + 2 < len && (code[i] == 0x3e || code[i] == 0xf2 || code[i] == 0xf3 ||
			       code[i] == 0x66 || (code[i] & 0xf0) == 0x40))
		i++;
	if ((code[i] & 0xf0) == 0x70 || (code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80) ||
	    (code[i] >= 0xe0 && code[i] <= 0xe3))
		return END_CONDITIONAL;
	if (code[i] == 0xe8)
		return END_CALL;
	if (code[i] == 0xc3 || code[i] == 0xc2)
		return END_RETURN;
	if (code[i] == 0xff && (code[i + 1] >> 3 & 7) == 2)
		return END_INDIRECT_CALL;
	if (code[i] == 0xff && (code[i + 1] >> 3 & 7) == 4)
		return END_INDIRECT;
	return END_OTHER;
}

void model_translated(struct qemu_plugin_tb *tb, const bool *counting)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *block = calloc(1, sizeof(*block));
	unsigned char code[16] = { 0 };
	struct qemu_plugin_insn *insn;

	if (!block)
		abort();
	for (size_t i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_register_vcpu_mem_cb(insn, access_memory, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, (void *)counting);
	}
	insn = qemu_plugin_tb_get_insn(tb, n - 1);
	block->counting = counting;
	block->address = qemu_plugin_tb_vaddr(tb);
	block->last = qemu_plugin_insn_vaddr(insn);
	block->next = block->last + qemu_plugin_insn_size(insn);
	block->end = end_of(code, qemu_plugin_insn_data(insn, code, sizeof(code)));
	/* It is never freed: what was translated may be run as long as qemu. */
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, QEMU_PLUGIN_CB_NO_REGS, block);
}
