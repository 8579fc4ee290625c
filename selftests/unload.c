// SPDX-License-Identifier: GPL-2.0
/*
 * Description: the module can't be unloaded under an open /dev/raio, nor under
 * a context whose open file was closed.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

/* The negative errno; if it succeeds there is no module for the next tests. */
static int unload(void)
{
	return syscall(SYS_delete_module, "raio", O_NONBLOCK) ? -errno : 0;
}

TEST_RAIO(open_fd, "it is no module")
{
	need_root("to try to unload");
	ASSERT_LE(0, raio_fd());
	EXPECT_EQ(-EWOULDBLOCK, unload());
}

TEST_RAIO(context_without_fd, "it is no module")
{
	aio_context_t ctx;

	need_root("to try to unload");
	ctx = new_context(1);
	raio_close();
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, be_destroy(ctx));
}
