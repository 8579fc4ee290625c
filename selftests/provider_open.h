/* SPDX-License-Identifier: GPL-2.0 */
/* The test driver of provider/. */
#ifndef RAIO_PROVIDER_OPEN_H
#define RAIO_PROVIDER_OPEN_H

#include <stddef.h>
#include <stdint.h>

#include "provider/provider.h"

#define PROVIDER_PATH	"/dev/raio_provider"

/* Skips the test where the module is not there. */
int provider_open(const char *path, enum provider_mode mode);
/* What it provides at that offset. */
void provider_fill(uint8_t *buf, size_t size, int64_t offset);

#endif /* RAIO_PROVIDER_OPEN_H */
