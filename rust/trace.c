// SPDX-License-Identifier: GPL-2.0
/* Defines the tracepoints, and the functions that Rust calls for them. */
#include <linux/aio_abi.h>

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "trace.h"
