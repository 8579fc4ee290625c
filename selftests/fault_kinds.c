// SPDX-License-Identifier: GPL-2.0
/*
 * Description: whichever operation fails while a request is submitted, of each
 * opcode and to each kind of file, it is refused or has its event.
 *
 * With RAIO_QUICK: both calls for those kinds that stand for others (TARGET_QUICK), and for
 * the rest every other one by RAIO_IOC_ENTER; in vectors, those alone.
 */
#include <stdlib.h>

#include "fault_op.h"
#include "harness.h"

static bool is_wanted(const struct fault_op *op, unsigned int index)
{
	bool vectored = op->opcode == IOCB_CMD_PREADV || op->opcode == IOCB_CMD_PWRITEV;

	if (!getenv("RAIO_QUICK") || target_kinds[index].can & TARGET_QUICK)
		return true;
	return !vectored && op->enter == (index % 2);
}

static void all_kinds(unsigned int opcode)
{
	struct fault_op op = { .opcode = opcode };
	unsigned int i, all = 0, files = 0;
	int enter, failures;

	for (i = 0; i < target_kinds_count; i++) {
		for (enter = 0; enter < 2; enter++) {
			op.enter = enter;
			if (!fault_op_suits(&op, &target_kinds[i]) || !is_wanted(&op, i))
				continue;
			failures = fault_op_run(&op, &target_kinds[i]);
			if (failures < 0)
				continue;
			all += failures;
			files++;
		}
	}
	ASSERT_LT(0, files);
	/* a call has an argument, a pointer and an iocb at least */
	EXPECT_LE(3 * files, all);
}

#define WHY	"its way of failing is not what is tested"

TEST_RAIO(reads, WHY)
{
	all_kinds(IOCB_CMD_PREAD);
}

TEST_RAIO(writes, WHY)
{
	all_kinds(IOCB_CMD_PWRITE);
}

TEST_RAIO(vectored_reads, WHY)
{
	all_kinds(IOCB_CMD_PREADV);
}

TEST_RAIO(vectored_writes, WHY)
{
	all_kinds(IOCB_CMD_PWRITEV);
}

TEST_RAIO(fsyncs, WHY)
{
	all_kinds(IOCB_CMD_FSYNC);
}

TEST_RAIO(fdsyncs, WHY)
{
	all_kinds(IOCB_CMD_FDSYNC);
}

TEST_RAIO(range_syncs, WHY)
{
	all_kinds(RAIO_CMD_SYNC_FILE_RANGE);
}

TEST_RAIO(polls, WHY)
{
	all_kinds(IOCB_CMD_POLL);
}
