/* SPDX-License-Identifier: GPL-2.0 */
/* Iocbs with flags that native aio does not have. */
#ifndef RAIO_SPECIAL_H
#define RAIO_SPECIAL_H

#include <linux/raio.h>
#include <stdint.h>

#include "harness.h"

/* Has the request cancelled so many milliseconds from now on. */
static inline void set_deadline(struct iocb *iocb, struct raio_deadline *deadline, unsigned int ms)
{
	*deadline = (struct raio_deadline){
		.time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L },
	};
	iocb->aio_flags |= RAIO_IOCB_FLAG_DEADLINE;
	iocb->aio_reserved2 = (uintptr_t)deadline;
}

#endif /* RAIO_SPECIAL_H */
