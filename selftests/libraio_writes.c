// SPDX-License-Identifier: GPL-2.0
/*
 * Description: buffered writes are done when io_submit returns, unless RAIO_WRITES says
 * that they need not be.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "harness.h"
#include "libraio.h"
#include "said.h"

#define EXT4	0xef53

/* What libraio's open /dev/raio tells of its one context. */
static unsigned long count_punts(void)
{
	char path[64], target[32] = "", text[512], *at;
	unsigned long count = 0;
	FILE *file;
	int fd;

	for (fd = 1023; fd > 2; fd--) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(target, 0, sizeof(target));
		if (readlink(path, target, sizeof(target) - 1) > 0 && !strcmp(target, "/dev/raio"))
			break;
	}
	ASSERT_LT(2, fd);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	ASSERT_TRUE(file);
	while (fgets(text, sizeof(text), file)) {
		at = strstr(text, " punts=");
		if (at)
			count += strtoul(at + 7, NULL, 10);
	}
	fclose(file);
	return count;
}

/* ext4 takes no buffered write that does not wait: a thread runs it, or submit does. */
static unsigned long punts_of_a_write(const char *choice)
{
	char buf[4096] = "";
	struct statfs statfs = { 0 };
	struct io_event event;
	struct iocb iocb;
	aio_context_t ctx = 0, other = 0;
	unsigned long count;
	int fd = new_file(0);

	ASSERT_EQ(0, fstatfs(fd, &statfs));
	if (statfs.f_type != EXT4)
		SKIP("RAIO_TEST_DIR is not on ext4");
	if (choice)
		setenv("RAIO_WRITES", choice, 1);
	said_start();
	ASSERT_EQ(0, io_setup(8, &ctx));
	ASSERT_EQ(0, io_setup(8, &other));
	prep(&iocb, IOCB_CMD_PWRITE, fd, buf, sizeof(buf), 0);
	ASSERT_EQ(1, submit_one(ctx, &iocb));
	ASSERT_EQ(1, events_wait(ctx, &event, 1));
	EXPECT_EQ((int)sizeof(buf), (int)event.res);
	count = count_punts();
	EXPECT_EQ(0, io_destroy(ctx));
	EXPECT_EQ(0, io_destroy(other));
	return count;
}

TEST_RAIO(by_default, "libraio's")
{
	EXPECT_EQ(0, punts_of_a_write(NULL));
	expect_said("");
}

TEST_RAIO(sync_by_name, "libraio's")
{
	EXPECT_EQ(0, punts_of_a_write("sync"));
	expect_said("");
}

TEST_RAIO(async, "libraio's")
{
	EXPECT_EQ(1, punts_of_a_write("async"));
	expect_said("");
}

TEST_RAIO(invalid, "libraio's")
{
	EXPECT_EQ(0, punts_of_a_write("assync"));
	expect_said("libraio: RAIO_WRITES is neither sync nor async: it is sync then\n");
}

TEST_RAIO(invalid_and_quiet, "libraio's")
{
	setenv("RAIO_QUIET", "1", 1);
	EXPECT_EQ(0, punts_of_a_write("1"));
	expect_said("");
}
