// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for qemu's TCG: counts the instructions that the guest runs between two
 * marks.
 *
 *	-plugin count.so,blocks=FILE		by the block of code in which they lie
 *	-plugin count.so,totals=FILE[,model=on][,enter=ADDRESS][,leave=ADDRESS-END]...
 *						in all, and by phase
 *	-plugin count.so,lines=FILE		lines that go from CPU to CPU
 *
 * A mark is a nop with an operand that nothing else has, nopl NUMBER(%rax): see
 * the enum below, and bench/src/marks.rs.
 *
 * FILE of blocks gets a line for each block that was run: its address in hex, the
 * instructions run in it, those of them with a lock prefix (or xchg with memory,
 * which locks by itself), how often it was run, and its bytes.
 *
 * FILE of totals gets a line at each STOP: all instructions, those in the phases
 * submit and reap, those in interrupts (which are in no phase), locked ones.
 * Interrupts, soft ones too, are what lies between the entry of a function at
 * "enter" and the return from one at "leave"; "both" is for a function that does
 * both, from entry to return.  They nest.  Addresses are in hex.  With "model=on" the line has
 * the sums of model.h after that.  FILE of lines gets one number at each STOP.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "qemu.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 4;

static const unsigned char nopl[] = { 0x0f, 0x1f, 0x80 };

enum mark {
	FIRST = 0x7261696f,
	START = FIRST,
	STOP,
	/* A phase ends where another begins. */
	SUBMIT,
	REAP,
	NEITHER,
	MARKS,
};

struct block {
	struct block *next;
	uint64_t address;
	uint64_t runs;
	uint32_t bytes;
	uint32_t insns;
	uint32_t locked;
};

static struct block *blocks;
static bool counting, modelled;
static const char *blocks_file, *totals_file, *lines_file;

static void run(unsigned int cpu, void *data)
{
	struct block *block = data;

	if (counting)
		block->runs++;
}

/*
 * Totals.  qemu has one thread for all CPUs of the guest (-accel tcg,thread=single),
 * so nothing here needs a lock.  With several CPUs in one thread, inline operations
 * of plugins make qemu 10.0 crash.
 */
#define MAX_CPUS	8

static struct {
	uint64_t insns;
	uint64_t locked;
} ran[MAX_CPUS];

static FILE *totals, *lines;

static struct {
	uint64_t enter;
	uint64_t leave, leave_end;
} edges[4];
static unsigned int nr_edges;

static struct {
	unsigned int depth;
	uint64_t since;
} irq[MAX_CPUS];

/* Sums since START; a phase is NEITHER, SUBMIT or REAP. */
static uint64_t start_insns, start_locked, in_irq, start_irq, phases[MARKS - FIRST];
static enum mark phase = NEITHER;
static uint64_t phase_since;
static struct model_sums start_sums;
static uint64_t start_moved;

/* Where there are more CPUs than that they count as the last. */
static unsigned int slot(unsigned int cpu)
{
	return cpu < MAX_CPUS ? cpu : MAX_CPUS - 1;
}

static void add(unsigned int cpu, void *data)
{
	uintptr_t what = (uintptr_t)data;

	ran[slot(cpu)].insns += what & 0xffff;
	ran[slot(cpu)].locked += what >> 16;
}

static uint64_t all_insns(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < MAX_CPUS; i++)
		sum += ran[i].insns;
	return sum;
}

static uint64_t all_locked(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < MAX_CPUS; i++)
		sum += ran[i].locked;
	return sum;
}

/* What was run outside of interrupts. */
static uint64_t tasks(void)
{
	uint64_t all = all_insns() - in_irq;

	for (int i = 0; i < MAX_CPUS; i++) {
		if (irq[i].depth)
			all -= ran[i].insns - irq[i].since;
	}
	return all;
}

static void enter(unsigned int cpu, void *data)
{
	cpu = slot(cpu);
	if (!irq[cpu].depth++)
		irq[cpu].since = ran[cpu].insns;
}

static void leave(unsigned int cpu, void *data)
{
	cpu = slot(cpu);
	if (irq[cpu].depth && !--irq[cpu].depth)
		in_irq += ran[cpu].insns - irq[cpu].since;
}

static void print_model(void)
{
	fprintf(totals, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
		model_sums.code - start_sums.code, model_sums.data - start_sums.data,
		model_sums.l2 - start_sums.l2, model_sums.wrong - start_sums.wrong);
}

static void marked(unsigned int cpu, void *data)
{
	enum mark mark = (enum mark)(uintptr_t)data;

	if (mark == START || mark == STOP)
		counting = mark == START;
	if (mark == START)
		start_moved = lines_moved;
	if (mark == STOP && lines) {
		fprintf(lines, "%" PRIu64 "\n", lines_moved - start_moved);
		fflush(lines);
	}
	if (!totals)
		return;
	phases[phase - FIRST] += tasks() - phase_since;
	phase = mark;
	if (mark == START) {
		memset(phases, 0, sizeof(phases));
		start_insns = all_insns();
		start_locked = all_locked();
		start_irq = in_irq;
		start_sums = model_sums;
	}
	if (mark == STOP) {
		fprintf(totals, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
			all_insns() - start_insns, phases[SUBMIT - FIRST],
			phases[REAP - FIRST], in_irq - start_irq,
			all_locked() - start_locked);
		if (modelled)
			print_model();
		putc('\n', totals);
		fflush(totals);
	}
	phase_since = tasks();
}

static bool is_locked(const unsigned char *code, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		switch (code[i]) {
		case 0xf0:
			return true;
		case 0x66: case 0x67: case 0xf2: case 0xf3:
		case 0x2e: case 0x36: case 0x3e: case 0x26: case 0x64: case 0x65:
		case 0x40 ... 0x4f:
			continue;
		case 0x86: case 0x87:
			/* A register operand does not lock. */
			return code[i + 1] < 0xc0;
		default:
			return false;
		}
	}
	return false;
}

/* The mark that the instruction is, or 0. */
static enum mark mark_of(const unsigned char *code, size_t len)
{
	uint32_t operand;

	memcpy(&operand, code + sizeof(nopl), sizeof(operand));
	if (len != 7 || memcmp(code, nopl, sizeof(nopl)) || operand < FIRST || operand >= MARKS)
		return 0;
	return operand;
}

/* A return, or a jump out of the function: a call in its place. */
static bool is_return(const unsigned char *code, size_t len, uint64_t at, uint64_t from, uint64_t to)
{
	int32_t jump;

	if (at < from || at >= to)
		return false;
	if (code[0] == 0xc3)
		return true;
	memcpy(&jump, code + 1, sizeof(jump));
	return code[0] == 0xe9 && (at + len + jump < from || at + len + jump >= to);
}

/* The first function that is run at the instruction. */
static void (*edge_of(const unsigned char *code, size_t len, uint64_t at))(unsigned int cpu,
									   void *data)
{
	for (unsigned int i = 0; i < nr_edges; i++) {
		if (at == edges[i].enter)
			return enter;
		if (is_return(code, len, at, edges[i].leave, edges[i].leave_end))
			return leave;
	}
	return NULL;
}

/* By instruction if the block has a mark or an edge; else by block, which is cheaper. */
static void count_totals(struct qemu_plugin_tb *tb, size_t n, bool exact)
{
	size_t locks = 0;

	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		unsigned char code[16] = { 0 };
		size_t len = qemu_plugin_insn_data(insn, code, sizeof(code));
		size_t locks_here = is_locked(code, len);

		locks += locks_here;
		if (exact)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, add, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(locks_here << 16 | 1));
	}
	if (!exact)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, add, QEMU_PLUGIN_CB_NO_REGS,
						     (void *)(locks << 16 | n));
}

static void count_block(struct qemu_plugin_tb *tb, size_t n)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->insns = n;
	for (size_t i = 0; i < n; i++) {
		unsigned char code[16] = { 0 };
		size_t len = qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i), code,
						   sizeof(code));

		block->locked += is_locked(code, len);
		block->bytes += len;
	}
	/* Translations are made under a lock of qemu's; blocks are never freed. */
	block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&blocks, &block->next, block, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	bool exact = false;

	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		void (*edge)(unsigned int cpu, void *data);
		unsigned char code[16] = { 0 };
		size_t len = qemu_plugin_insn_data(insn, code, sizeof(code));
		enum mark mark = mark_of(code, len);

		edge = edge_of(code, len, qemu_plugin_insn_vaddr(insn));
		if (mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked,
							       QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)mark);
		else if (edge)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, edge, QEMU_PLUGIN_CB_NO_REGS,
							       NULL);
		exact = exact || mark || edge;
	}
	if (totals)
		count_totals(tb, n, exact);
	if (blocks_file)
		count_block(tb, n);
	if (modelled)
		model_translated(tb, &counting);
	if (lines)
		lines_translated(tb, &counting);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *file = blocks_file ? fopen(blocks_file, "w") : NULL;

	if (!file)
		return;
	for (struct block *block = blocks; block; block = block->next) {
		if (block->runs)
			fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 "\n",
				block->address, block->runs * block->insns,
				block->runs * block->locked, block->runs, block->bytes);
	}
	fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info,
			       int argc, char **argv)
{
	static const size_t max = sizeof(edges) / sizeof(edges[0]);

	for (int i = 0; i < argc; i++) {
		uint64_t from, to;

		if (!strncmp(argv[i], "blocks=", 7))
			blocks_file = strdup(argv[i] + 7);
		else if (!strncmp(argv[i], "totals=", 7))
			totals_file = strdup(argv[i] + 7);
		else if (!strncmp(argv[i], "lines=", 6))
			lines_file = strdup(argv[i] + 6);
		else if (!strcmp(argv[i], "model=on"))
			modelled = true;
		else if (nr_edges < max && sscanf(argv[i], "enter=%" SCNx64, &from) == 1)
			edges[nr_edges++].enter = from;
		else if (nr_edges < max &&
			 sscanf(argv[i], "leave=%" SCNx64 "-%" SCNx64, &from, &to) == 2)
			edges[nr_edges].leave = from, edges[nr_edges++].leave_end = to;
		else if (nr_edges < max &&
			 sscanf(argv[i], "both=%" SCNx64 "-%" SCNx64, &from, &to) == 2)
			edges[nr_edges].enter = edges[nr_edges].leave = from,
			edges[nr_edges++].leave_end = to;
		else
			return 1;
	}
	if (totals_file) {
		totals = fopen(totals_file, "w");
		if (!totals)
			return 1;
	}
	if (lines_file) {
		lines = fopen(lines_file, "w");
		if (!lines)
			return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
