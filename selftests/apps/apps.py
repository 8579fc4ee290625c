#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Debian's own fio and sysbench, and the README's programs, on raio.

Runs in a Debian root in the guest, see guest-apps.  Each program runs with
native libaio and with libraio in its place; what can't be seen from outside is
enforced: while one of the two is to be used, the other has no context to give.

Prints KTAP, and then a table of both sides by side.  Usage: apps.py short|long
"""

import json
import os
import pathlib
import re
import subprocess
import sys

TESTS = pathlib.Path("/tests")
LONG = sys.argv[1:] == ["long"]
DEPTHS = [1, 2, 4, 16, 64, 128, 256] if LONG else [1, 32, 256]
SIZE = "16m" if LONG else "2m"
# How a program comes to libraio: its libraries' path, or a preload.
WAYS = {
    "native": {},
    "libraio": {"LD_LIBRARY_PATH": str(TESTS / "libraio/aio")},
    "preload": {"LD_PRELOAD": str(TESTS / "libraio/libraio.so")},
}
# Name: a file, and whether it is there already.
PLACES = {
    "ext4": "/ext4/fio",
    "tmpfs": "/memory/fio",
    "null_blk": "/dev/nullb0",
    "virtio-blk": "/dev/vdc",
}


class Results:
    """KTAP on stdout."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        print("KTAP version 1", flush=True)

    def add(self, name, problem=None):
        self.count += 1
        if problem:
            self.failed += 1
            for line in problem.strip().splitlines()[-30:]:
                print("#", line)
        print(f"{'not ok' if problem else 'ok'} {self.count} {name}", flush=True)

    def end(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def run(command, way, cwd=None):
    """Runs it with that one of the two kernel sides; its exit, output, errors."""
    limits = {"aio": 65536, "raio": 65536}
    limits["raio" if way == "native" else "aio"] = 0
    for name, limit in limits.items():
        pathlib.Path(f"/proc/sys/fs/{name}-max-nr").write_text(str(limit))
    env = dict(os.environ, RAIO_FALLBACK="fail", **WAYS[way])
    try:
        done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True,
                              timeout=600 if LONG else 150, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        return 124, "", f"{command[0]} was killed after {expired.timeout} s"


def fio_jobs():
    """The sections of one run: each waits for the one before."""
    for depth in DEPTHS:
        yield f"randwrite qd{depth}", {"rw": "randwrite", "verify": "crc32c", "iodepth": depth}
    for depth in DEPTHS:
        yield f"randread qd{depth}", {"rw": "randread", "iodepth": depth}
    # Both at once, and a depth that has batches.
    yield "mixed qd32", {"rw": "randrw", "verify": "crc32c", "iodepth": 32}
    yield "batches qd64", {"rw": "randrw", "verify": "crc32c", "iodepth": 64,
                           "iodepth_batch_submit": 16, "iodepth_batch_complete_min": 1,
                           "iodepth_batch_complete_max": 16}
    for depth in DEPTHS:
        yield f"userspace_reap qd{depth}", {"rw": "randrw", "verify": "crc32c", "iodepth": depth,
                                            "userspace_reap": None}


def fio(way, place, direct):
    """One run of all jobs; IOPS by name, or what went wrong."""
    command = ["fio", "--output-format=json", "--ioengine=libaio", "--bs=4k", f"--size={SIZE}",
               f"--filename={PLACES[place]}", f"--direct={direct}", "--verify_fatal=1",
               "--fallocate=none", "--randseed=11", "--eta=never", "--thread=1"]
    for name, options in fio_jobs():
        command += [f"--name={name}", "--stonewall"]
        command += [f"--{key}" if value is None else f"--{key}={value}"
                    for key, value in options.items()]
    status, out, err = run(command, way)
    if status != 0:
        return None, f"exit status {status}\n{err}"
    # Notes of fio come before the JSON.
    jobs = json.loads(out[out.index("{"):])["jobs"]
    rates, problem = {}, ""
    for job, (name, options) in zip(jobs, fio_jobs(), strict=True):
        if job["error"] != 0 or job["jobname"] != name:
            problem += f"{job['jobname']}: error {job['error']}\n"
        blocks = job["read"]["total_ios"] + job["write"]["total_ios"]
        if blocks == 0:
            problem += f"{name}: nothing was done\n"
        rates[name] = job["read"]["iops"] + job["write"]["iops"]
    if err.strip():
        problem += err
    return rates, problem


def sysbench(way, mode, flags):
    options = ["sysbench", "fileio", "--file-num=4", "--file-total-size=8M",
               "--file-block-size=4096", "--file-io-mode=async", "--file-async-backlog=32",
               f"--file-test-mode={mode}", "--time=0", "--threads=2",
               f"--events={20000 if LONG else 1000}", "--file-fsync-freq=100"]
    options += [f"--file-extra-flags={flags}"] if flags else []
    directory = pathlib.Path("/ext4/sysbench")
    directory.mkdir(exist_ok=True)
    for step in ["prepare", "run", "cleanup"]:
        status, out, err = run(options + [step], way, directory)
        if status != 0 or "FATAL" in out + err or "alidation failed" in out + err:
            return None, f"{step}: exit status {status}\n{out}\n{err}"
        if step == "run":
            numbers = re.findall(r"(?:reads|writes)/s: +([0-9.]+)", out)
            rate = sum(float(number) for number in numbers)
    return rate, None if rate > 0 else "nothing was done"


def readme(name):
    """A program that reads the start of /etc/os-release."""
    status, out, err = run([str(TESTS / "readme" / name)], "libraio" if "c-2" in name else "preload")
    wanted = pathlib.Path("/etc/os-release").read_text()[:512]
    return None if (status, out) == (0, wanted) else f"exit status {status}\n{out}\n{err}"


def row(name, *cells):
    print("# " + name.ljust(46) + "".join(str(cell).rjust(12) for cell in cells))


def both(results, table, name, ways, measure):
    """Measures native and libraio; a row for each figure that both have."""
    rates = {}
    for way in ways:
        rates[way], problem = measure(way)
        results.add(f"{name}, {way}", problem)
    if all(rates.values()):
        for key in rates["native"]:
            table.append((f"{name}: {key}", [rates[way].get(key, 0) for way in ways]))


def main():
    results, table = Results(), []
    for program in sorted((TESTS / "readme").iterdir()):
        if program.is_file() and os.access(program, os.X_OK):
            results.add(f"README's {program.name}", readme(program.name))
    for place in PLACES:
        for direct in [0, 1]:
            name = f"fio {place} {'O_DIRECT' if direct else 'buffered'}"
            ways = ["native", "libraio"]
            both(results, table, name, ways, lambda way: fio(way, place, direct))
    results.add("fio ext4 O_DIRECT, preload", fio("preload", "ext4", 1)[1])
    for mode in ["rndrd", "rndwr", "rndrw", "seqwr", "seqrd"] if LONG else ["rndrd", "rndrw"]:
        for flags in ["", "direct"]:
            def measure(way):
                rate, problem = sysbench(way, mode, flags)
                return rate and {"requests": rate}, problem
            both(results, table, f"sysbench {mode} {flags or 'buffered'}",
                 ["native", "libraio"], measure)
    print("# Wall clock: under TCG, of no use for a comparison.")
    row("requests each second", "native", "libraio", "ratio")
    for name, (native, libraio) in table:
        row(name, round(native), round(libraio), f"{libraio / native:.2f}")
    return results.end()


sys.exit(main())
