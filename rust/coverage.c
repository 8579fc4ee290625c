// SPDX-License-Identifier: GPL-2.0
/*
 * Records which code of the module ran, in any context; the kernel's KCOV sees
 * only one task.  scripts/coverage explains the use.
 *
 * There is a bit for each address to which a call of __sanitizer_cov_trace_pc()
 * returns: first those of the module's text, then those of its init text.  The
 * bits are a blob in debugfs, which stays when the module is unloaded, and
 * which the next load continues: so the code of its exit is recorded too.
 */

#include <linux/debugfs.h>
#include <linux/kcov.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#define NAME "coverage-raio"
/* Maximum size of each of the two; selftests/coverage has the same value. */
#define TEXT_MAX SZ_1M

struct coverage {
	struct debugfs_blob_wrapper blob;
	DECLARE_BITMAP(text, TEXT_MAX);
	DECLARE_BITMAP(init_text, TEXT_MAX);
};

static struct coverage *coverage;

static bool mark(unsigned long *bits, enum mod_mem_type type, unsigned long address)
{
	unsigned long offset = address - (unsigned long)THIS_MODULE->mem[type].base;

	if (offset >= THIS_MODULE->mem[type].size || offset >= TEXT_MAX)
		return false;
	if (!test_bit(offset, bits))
		set_bit(offset, bits);
	return true;
}

/* Replaces the kernel's function for this module. */
void notrace __sanitizer_cov_trace_pc(void)
{
	struct coverage *here = READ_ONCE(coverage);

	if (here && !mark(here->text, MOD_TEXT, _RET_IP_))
		mark(here->init_text, MOD_INIT_TEXT, _RET_IP_);
}

/* Runs before the module's init and before KUnit's tests. */
static void __attribute__((constructor)) coverage_start(void)
{
	struct dentry *file = debugfs_lookup(NAME, NULL);
	struct coverage *here;

	if (file) {
		here = container_of(d_inode(file)->i_private, struct coverage, blob);
		dput(file);
	} else {
		here = vzalloc(sizeof(*here));
		if (!here)
			return;
		here->blob.data = here->text;
		here->blob.size = sizeof(here->text) + sizeof(here->init_text);
		debugfs_create_blob(NAME, 0400, NULL, &here->blob);
	}
	WARN_ON(THIS_MODULE->mem[MOD_TEXT].size > TEXT_MAX);
	WRITE_ONCE(coverage, here);
}
