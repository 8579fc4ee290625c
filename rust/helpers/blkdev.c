// SPDX-License-Identifier: GPL-2.0

#include <linux/blkdev.h>

/*
 * Same as blk_start_plug_nr_ios(), but for a plug that is already active and
 * has used up its cached requests.
 */
void raio_helper_plug_expect(unsigned short nr)
{
#ifdef CONFIG_BLOCK
	struct blk_plug *plug = current->plug;

	if (plug && !plug->cached_rqs.head)
		plug->nr_ios = nr;
#endif
}

/* Same as blk_check_plugged(), but without an allocation. */
bool raio_helper_plug_call_back(struct blk_plug_cb *cb)
{
#ifdef CONFIG_BLOCK
	struct blk_plug *plug = current->plug;

	if (plug) {
		list_add(&cb->list, &plug->cb_list);
		return true;
	}
#endif
	return false;
}

void raio_helper_plug_forget(struct blk_plug_cb *cb)
{
	list_del(&cb->list);
}
