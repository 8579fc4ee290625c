# SPDX-License-Identifier: GPL-2.0
"""The programs that README.md shows: each reads the start of /etc/os-release."""

import os
import pathlib

from common import TESTS, Problem


def readme(side, program):
    done = side.run([program])
    wanted = pathlib.Path("/etc/os-release").read_text()[:512]
    if done.stdout != wanted:
        raise Problem(f"printed:\n{done.stdout}\n{done.stderr}")


def checks(results):
    for program in sorted((TESTS / "readme").iterdir()):
        if program.is_file() and os.access(program, os.X_OK):
            results.check(f"README's {program.name}", "raio itself",
                          lambda side, program=program: readme(side, program))
