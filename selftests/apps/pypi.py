# SPDX-License-Identifier: GPL-2.0
"""PyPI's caio, aiofile and libaio, as they are there; of the last, its own tests."""

import re

from common import LONG, TESTS, Problem

PYTHON = {"PYTHONPATH": "/opt/pypi", "CAIO_IMPL": "linux", "TMPDIR": "/ext4"}
BLOCKS = 2000 if LONG else 300


def caio(side):
    side.run(["python3", TESTS / "apps/caio-rw", "/ext4/caio", BLOCKS], env=PYTHON)
    side.wanted = 2 * BLOCKS


def aiofile(side):
    side.run(["python3", TESTS / "apps/aiofile-lines", "/ext4/aiofile", BLOCKS], env=PYTHON)
    side.wanted = BLOCKS


def libaio(side):
    done = side.run(["python3", "-m", "libaio.test", "-v"], env=PYTHON)
    if not re.search(r"^Ran 4 tests in .*\n\nOK$", done.stderr, re.MULTILINE):
        raise Problem(done.stderr)
    side.wanted = 5


def checks(results):
    results.both("PyPI: caio", caio)
    results.both("PyPI: aiofile", aiofile)
    results.both("PyPI: libaio's tests", libaio)
