// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for qemu's TCG: counts the instructions that the guest runs between two
 * marks, by the block of code in which they lie.
 *
 *	-plugin count.so,out=FILE
 *
 * A mark is a nop with an operand that nothing else has: nopl START(%rax) begins
 * to count, nopl STOP(%rax) ends that.  FILE gets a line for each block that was
 * run: its address in hex, the instructions run in it, and those of them with a
 * lock prefix (or xchg with memory, which locks by itself).
 *
 * Debian has no package with qemu-plugin.h: what is used of it is declared here,
 * for version 4 of the API.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_info;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t id,
						      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int cpu, void *data),
					  enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *data),
					    enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
				    void (*cb)(qemu_plugin_id_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 4;

/* nopl 0x7261696f(%rax) and the next number. */
static const unsigned char nopl[] = { 0x0f, 0x1f, 0x80 };
#define START	0x7261696fU
#define STOP	0x72616970U

struct block {
	struct block *next;
	uint64_t address;
	uint64_t runs;
	uint32_t insns;
	uint32_t locked;
};

static struct block *blocks;
static bool counting;
static const char *out = "/dev/stderr";

static void start(unsigned int cpu, void *data)
{
	counting = true;
}

static void stop(unsigned int cpu, void *data)
{
	counting = false;
}

static void run(unsigned int cpu, void *data)
{
	struct block *block = data;

	if (counting)
		block->runs++;
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

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *block = calloc(1, sizeof(*block));

	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->insns = n;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		unsigned char code[16] = { 0 };
		size_t len = qemu_plugin_insn_data(insn, code, sizeof(code));
		uint32_t operand;

		block->locked += is_locked(code, len);
		memcpy(&operand, code + sizeof(nopl), sizeof(operand));
		if (len != 7 || memcmp(code, nopl, sizeof(nopl)))
			continue;
		if (operand == START)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, start,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (operand == STOP)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stop,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
	/* Translations are made under a lock of qemu's; blocks are never freed. */
	block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&blocks, &block->next, block, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");

	if (!file)
		return;
	for (struct block *block = blocks; block; block = block->next) {
		if (block->runs)
			fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->address,
				block->runs * block->insns, block->runs * block->locked);
	}
	fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info,
			       int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
