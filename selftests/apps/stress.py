# SPDX-License-Identifier: GPL-2.0
"""stress-ng and ioping, which make the system calls, and stressapptest."""

import pathlib
import re

from common import LONG, Problem

DIRECTORY = pathlib.Path("/ext4/stress")


def stress_ng(side):
    rounds = 1500 if LONG else 200
    done = side.run(["stress-ng", "--aiol", "2", "--aiol-ops", rounds, "--aiol-requests", "64", "--verify",
                     "--metrics-brief", "--temp-path", DIRECTORY])
    found = re.search(r" aiol +(\d+) ", done.stderr + done.stdout)
    if not found or "passed: 2: aiol" not in done.stderr + done.stdout:
        raise Problem(done.stdout + done.stderr)
    side.wanted = rounds


def stressapptest(side):
    """It writes blocks of a disk, in disorder, and reads and compares them."""
    done = side.run(["stressapptest", "-M", "16", "-m", "1", "-s", 30 if LONG else 3, "-l", "/dev/null",
                     "-d", "/dev/vdc", "--blocks-per-segment", "16", "--segment-size", "65536"])
    if "Status: PASS" not in done.stdout:
        raise Problem(done.stdout)


def ioping(side):
    count = 2000 if LONG else 200
    done = side.run(["ioping", "-A", "-D", "-B", "-c", count, "-i", "0", "-s", "4k", "/dev/vdc"])
    if int(done.stdout.split()[0]) < count - 1:
        raise Problem(done.stdout)
    side.wanted = count


def checks(results):
    DIRECTORY.mkdir(exist_ok=True)
    results.both("stress-ng aiol", stress_ng)
    results.both("stressapptest", stressapptest, alike=False)
    results.both("ioping", ioping)
    results.check("ioping", "raio run", ioping)
