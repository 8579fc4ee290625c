# SPDX-License-Identifier: GPL-2.0
"""sysbench's fileio."""

import pathlib
import re

from common import LONG, Problem

DIRECTORY = pathlib.Path("/ext4/sysbench")
EVENTS = 20000 if LONG else 1000


def sysbench(side, mode, flags):
    options = ["sysbench", "fileio", "--file-num=4", "--file-total-size=8M",
               "--file-block-size=4096", "--file-io-mode=async", "--file-async-backlog=32",
               f"--file-test-mode={mode}", "--time=0", "--threads=2", f"--events={EVENTS}",
               "--file-fsync-freq=100"]
    options += [f"--file-extra-flags={flags}"] if flags else []
    DIRECTORY.mkdir(exist_ok=True)
    for step in ["prepare", "run", "cleanup"]:
        done = side.run([*options, step], cwd=DIRECTORY)
        if "FATAL" in done.stdout + done.stderr or "alidation failed" in done.stdout + done.stderr:
            raise Problem(f"{step}:\n{done.stdout}\n{done.stderr}")
        if step == "run":
            rate = sum(float(number) for number in re.findall(r"(?:reads|writes)/s: +([0-9.]+)", done.stdout))
    if rate == 0:
        raise Problem("nothing was done")
    # Of the events some are fsyncs.
    side.wanted = EVENTS * 9 // 10
    return {"requests": rate}


def checks(results):
    for mode in ["rndrd", "rndwr", "rndrw", "seqwr", "seqrd"] if LONG else ["rndrd", "rndrw"]:
        for flags in ["", "direct"]:
            results.both(f"sysbench {mode} {flags or 'buffered'}",
                         lambda side, mode=mode, flags=flags: sysbench(side, mode, flags), alike=False)
