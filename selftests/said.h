/* SPDX-License-Identifier: GPL-2.0 */
/* What libraio says on stderr. */
#ifndef RAIO_SAID_H
#define RAIO_SAID_H

/* stderr is a pipe from now on. */
void said_start(void);
/* What was written since the last call is exactly that. */
void expect_said(const char *text);
/* Nobody reads what is written from now on. */
void said_close(void);

#endif /* RAIO_SAID_H */
