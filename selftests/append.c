// SPDX-License-Identifier: GPL-2.0
/*
 * Description: writes with O_APPEND or RWF_APPEND go to the end of the file,
 * whatever their offset, in the order of their submission: logs rely on it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define RECORDS 32
#define LENGTH 24

static void append_records(int fd, unsigned int rw_flags, int check_fd)
{
	static char records[RECORDS][LENGTH], back[RECORDS][LENGTH];
	struct iocb iocbs[RECORDS], *list[RECORDS];
	aio_context_t ctx = new_context(RECORDS);
	struct io_event events[RECORDS];
	struct stat stat;
	int i;

	for (i = 0; i < RECORDS; i++) {
		memset(records[i], 'a' + i, LENGTH);
		prep(&iocbs[i], IOCB_CMD_PWRITE, fd, records[i], LENGTH, 3);
		iocbs[i].aio_rw_flags = rw_flags;
		list[i] = &iocbs[i];
	}
	ASSERT_EQ(RECORDS, be_submit(ctx, RECORDS, list));
	ASSERT_EQ(RECORDS, events_wait(ctx, events, RECORDS));
	for (i = 0; i < RECORDS; i++)
		EXPECT_EQ(LENGTH, (long long)events[i].res);

	EXPECT_EQ(0, fstat(check_fd, &stat));
	EXPECT_EQ(100 + sizeof(records), stat.st_size);
	EXPECT_EQ(sizeof(back), pread(check_fd, back, sizeof(back), 100));
	EXPECT_EQ(0, memcmp(back, records, sizeof(back)));
}

TEST(o_append)
{
	int fd = new_file(100);

	append_records(reopen(fd, O_WRONLY | O_APPEND), 0, fd);
}

TEST(rwf_append)
{
	int fd = new_file(100);

	append_records(fd, RWF_APPEND, fd);
}

/* A flag that is set after the open counts as well. */
TEST(set_by_fcntl)
{
	int fd = new_file(100);

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_APPEND));
	append_records(fd, 0, fd);
}
