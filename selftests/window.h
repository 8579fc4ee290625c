/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The windows of src/window.rs: places between two steps where the next who comes by is held, on
 * kernels with fault injection.
 *
 *	window_need();
 *	window_hold("arm");
 *	... in another thread, submit what will be armed ...
 *	ASSERT_TRUE(window_wait_held("arm"));
 *	... do what is to meet it ...
 *	window_release();
 *
 * A task that is held goes on by itself after 5 s, or after a moment where it can't sleep;
 * and the harness releases all of them when a test is over.
 */
#ifndef RAIO_WINDOW_H
#define RAIO_WINDOW_H

#include <stdbool.h>

/* Skips the test where there are no windows, or it may not use them. */
void window_need(void);
/* The next who comes there is held. */
void window_hold(const char *window);
/* Whether somebody is held there now. */
bool window_is_held(const char *window);
/* Returns when somebody is held there; false if nobody comes. */
bool window_wait_held(const char *window);
/* Who is held goes on, and nobody is held any more. */
void window_release(void);
/* As that, whatever there is; for the harness. */
void window_reset(void);
/* Before the module goes: its files may not be open then. */
void window_forget(void);

#endif /* RAIO_WINDOW_H */
