// SPDX-License-Identifier: GPL-2.0
/* Programs: as text, by chance, and changed by chance. */
#include <stdlib.h>
#include <string.h>

#include "torture.h"

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
	state = seed * 2 + 1;
	random_word();
	random_word();
}

/* splitmix64 */
uint64_t random_word(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

unsigned int random_below(unsigned int n)
{
	return n ? random_word() % n : 0;
}

static int code_of(const char *name)
{
	for (unsigned int i = 0; i < op_types_nr; i++)
		if (!strcmp(op_types[i].name, name))
			return i;
	return -1;
}

/*
 * "root" or "user", then a line for each op: its thread, its name and its arguments; an empty
 * line ends it.  1 if there was one, 0 at the end, -1 if it is none.
 */
int program_read(FILE *from, struct program *program)
{
	char line[256], name[32];
	bool begun = false;

	memset(program, 0, sizeof(*program));
	while (fgets(line, sizeof(line), from)) {
		unsigned int a[ARGS] = {}, thread;
		struct op *op = &program->ops[program->nr];
		int code;

		if (line[0] == '#')
			continue;
		if (line[0] == '\n') {
			if (begun)
				return 1;
			continue;
		}
		begun = true;
		if (!strcmp(line, "root\n") || !strcmp(line, "user\n")) {
			program->root = line[0] == 'r';
			continue;
		}
		if (sscanf(line, "%u %31s %x %x %x %x %x %x", &thread, name, &a[0], &a[1], &a[2],
			   &a[3], &a[4], &a[5]) < 2)
			return -1;
		code = code_of(name);
		if (code < 0 || thread > OUTSIDE || program->nr == MAX_OPS)
			return -1;
		op->code = code;
		op->thread = thread;
		for (unsigned int i = 0; i < ARGS; i++)
			op->arg[i] = a[i];
		program->nr++;
	}
	return begun;
}

void program_write(FILE *to, const struct program *program)
{
	fprintf(to, "%s\n", program->root ? "root" : "user");
	for (unsigned int i = 0; i < program->nr; i++) {
		const struct op *op = &program->ops[i];

		fprintf(to, "%u %s", op->thread, op_types[op->code].name);
		for (unsigned int j = 0; j < ARGS; j++)
			fprintf(to, " %x", op->arg[j]);
		fprintf(to, "\n");
	}
	fprintf(to, "\n");
}

static void random_op(struct op *op)
{
	static unsigned int sum;
	unsigned int chosen;

	if (!sum)
		for (unsigned int i = 0; i < op_types_nr; i++)
			sum += op_types[i].weight;
	chosen = random_below(sum);
	for (op->code = 0; chosen >= op_types[op->code].weight; op->code++)
		chosen -= op_types[op->code].weight;
	op->thread = op_types[op->code].outside ? OUTSIDE : random_below(THREADS);
	for (unsigned int i = 0; i < ARGS; i++)
		op->arg[i] = random_below(3) ? random_below(64) : random_word();
}

void program_random(struct program *program)
{
	memset(program, 0, sizeof(*program));
	program->root = !random_below(4);
	program->nr = 2 + random_below(MAX_OPS / 2);
	for (unsigned int i = 0; i < program->nr; i++)
		random_op(&program->ops[i]);
}

static void insert(struct program *program, unsigned int at, const struct op *op)
{
	if (program->nr == MAX_OPS)
		return;
	memmove(&program->ops[at + 1], &program->ops[at],
		(program->nr - at) * sizeof(program->ops[0]));
	program->ops[at] = *op;
	program->nr++;
}

static void drop(struct program *program, unsigned int at)
{
	memmove(&program->ops[at], &program->ops[at + 1],
		(program->nr - at - 1) * sizeof(program->ops[0]));
	program->nr--;
}

void program_mutate(struct program *program, const struct program *other)
{
	unsigned int times = 1 + random_below(5);

	while (times--) {
		unsigned int at = random_below(program->nr);
		struct op op = program->ops[at];

		switch (random_below(9)) {
		case 0:
		case 1:
			random_op(&op);
			insert(program, random_below(program->nr + 1), &op);
			break;
		case 2:
			if (program->nr > 1)
				drop(program, at);
			break;
		case 3:
			if (op.thread != OUTSIDE)
				op.thread = random_below(THREADS);
			insert(program, at, &op);
			break;
		case 4:
			if (program->ops[at].thread != OUTSIDE)
				program->ops[at].thread = random_below(THREADS);
			break;
		case 5:
			if (other->nr)
				insert(program, at, &other->ops[random_below(other->nr)]);
			break;
		case 6:
			if (!random_below(8))
				program->root = !program->root;
			break;
		default:
			program->ops[at].arg[random_below(ARGS)] =
				random_below(2) ? random_below(64) : random_word();
		}
	}
}
