/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory whose pages a userfaultfd is asked for: who touches one waits until it is
 * served, or for ever.
 */
#ifndef RAIO_ABSENT_H
#define RAIO_ABSENT_H

#include <stddef.h>
#include <stdint.h>

struct absent {
	int uffd;
	char *there;	/* a page that is there, before the others */
	char *pages;	/* those that are not */
	size_t size;
};

/*
 * Skips the test where there is no userfaultfd.  The descriptor is made first, since a
 * user that is not root may have none for faults of the kernel; the memory is that of the
 * process that makes the descriptor.
 */
void absent_open(struct absent *absent);
/* Skips it as well where the userfaultfd does not have these UFFD_FEATURE_*. */
void absent_open_features(struct absent *absent, uint64_t features);
void absent_map(struct absent *absent, size_t size);
/* Both, for one page, which is returned. */
char *absent_open_page(struct absent *absent);
/* Returns when somebody waits for one of the pages; takes the message of that fault. */
void absent_wait(const struct absent *absent);
/* They are there from now on, as zeroes. */
void absent_serve(const struct absent *absent);
/* The same, but they begin with those bytes. */
void absent_serve_bytes(const struct absent *absent, const void *bytes, size_t size);

#endif /* RAIO_ABSENT_H */
