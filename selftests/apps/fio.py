# SPDX-License-Identifier: GPL-2.0
"""fio, and what it read and wrote, at many queue depths."""

import json

from common import LONG, Problem

DEPTHS = [1, 2, 4, 16, 64, 128, 256] if LONG else [1, 32, 256]
SIZE = "2m" if LONG else "1m"
PLACES = {
    "ext4": "/ext4/fio",
    "tmpfs": "/memory/fio",
    "null_blk": "/dev/nullb0",
    "virtio-blk": "/dev/vdc",
}


def jobs():
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


def fio(side, place, direct):
    """One run of all jobs; IOPS by name."""
    command = ["fio", "--output-format=json", "--ioengine=libaio", "--bs=4k", f"--size={SIZE}",
               f"--filename={PLACES[place]}", f"--direct={direct}", "--verify_fatal=1",
               "--fallocate=none", "--randseed=11", "--eta=never", "--thread=1"]
    for name, options in jobs():
        command += [f"--name={name}", "--stonewall"]
        command += [f"--{key}" if value is None else f"--{key}={value}"
                    for key, value in options.items()]
    done = side.run(command, timeout=600)
    # Notes of fio come before the JSON.
    found = json.loads(done.stdout[done.stdout.index("{"):])["jobs"]
    rates, problem, side.wanted = {}, done.stderr, 0
    for job, (name, _) in zip(found, jobs(), strict=True):
        if job["error"] != 0 or job["jobname"] != name:
            problem += f"{job['jobname']}: error {job['error']}\n"
        blocks = job["read"]["total_ios"] + job["write"]["total_ios"]
        if blocks == 0:
            problem += f"{name}: nothing was done\n"
        side.wanted += blocks
        rates[name] = job["read"]["iops"] + job["write"]["iops"]
    if problem.strip():
        raise Problem(problem)
    return rates


def checks(results):
    for place in PLACES:
        for direct in [0, 1]:
            results.both(f"fio {place} {'O_DIRECT' if direct else 'buffered'}",
                         lambda side, place=place, direct=direct: fio(side, place, direct))
    results.check("fio ext4 O_DIRECT", "raio by library path", lambda side: fio(side, "ext4", 1))
