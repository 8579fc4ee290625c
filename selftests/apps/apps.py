#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Unmodified programs of Debian and PyPI, and the README's, on native aio and on raio.

Runs in a Debian root in the guest, see guest-apps.  Each program runs on both sides,
started with libraio for one of them.  While one is to be used the other has no
context to give, and the requests that each of them got are a part of each check.

Prints KTAP, and then a table of both sides by side.
Usage: apps.py short|long [PROGRAM]...
"""

import importlib
import pathlib
import sys

from common import Results

# Each a file beside this one.
PROGRAMS = ["readme", "fio", "sysbench", "qemu", "lvm", "tgt", "sanlock", "stress", "pypi", "mariadb"]


def main():
    # What they are for: hosts without io_uring.
    pathlib.Path("/proc/sys/kernel/io_uring_disabled").write_text("2")
    results = Results()
    for program in sys.argv[2:] or PROGRAMS:
        importlib.import_module(program).checks(results)
    return results.end()


sys.exit(main())
