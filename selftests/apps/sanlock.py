# SPDX-License-Identifier: GPL-2.0
"""sanlock: leases on a disk, which its threads read and write by aio, with a time limit."""

import pathlib

from common import LONG, Problem, wait_for

LEASES = pathlib.Path("/ext4/leases")
# One second for each I/O: a lockspace is joined in some seconds, as its protocol waits.
DAEMON = ["sanlock", "daemon", "-D", "-w", "0", "-h", "0", "-l", "0", "-o", "1", "-U", "root", "-G", "root",
          "-e", "host"]
LOCKSPACE = f"space:1:{LEASES}:0"
RESOURCE = f"space:resource:{LEASES}:1048576"


def direct(side):
    """Without the daemon."""
    LEASES.write_bytes(bytes(2 << 20))
    side.run(["sanlock", "direct", "init", "-a", "1", "-s", f"space:0:{LEASES}:0"])
    side.run(["sanlock", "direct", "init", "-a", "1", "-r", RESOURCE])
    leader = side.run(["sanlock", "direct", "read_leader", "-a", "1", "-r", RESOURCE]).stdout
    if "resource_name resource" not in leader:
        raise Problem(leader)


def daemon(side):
    pathlib.Path("/run/sanlock").mkdir(exist_ok=True)
    direct(side)
    server = side.start(DAEMON)

    def client(*words, check=True):
        return side.run(["sanlock", "client", *words], plain=True, check=check)

    wait_for(server, lambda: client("status", check=False).returncode == 0, "sanlock")
    client("add_lockspace", "-s", LOCKSPACE)
    # It runs with the lease, and without it not at all.
    held = client("command", "-r", RESOURCE, "-c", "/usr/sbin/sanlock", "client", "status")
    if "r space:resource" not in held.stdout:
        raise Problem(f"no lease was held:\n{held.stdout}\n{held.stderr}")
    renewals = client("renewal", "-s", LOCKSPACE).stdout
    if "timestamp" not in renewals:
        raise Problem(f"no renewal:\n{renewals}")
    leader = side.run(["sanlock", "direct", "read_leader", "-a", "1", "-r", RESOURCE]).stdout
    if "owner_id 1" not in leader:
        raise Problem(f"the lease was not the host's:\n{leader}")
    client("rem_lockspace", "-s", LOCKSPACE)
    client("shutdown")
    server.wait(60)
    side.wanted = 12


def checks(results):
    results.both("sanlock direct", direct)
    # Its protocol waits, 20 seconds in all.
    if LONG:
        results.both("sanlock daemon", daemon, alike=False)
    LEASES.unlink(missing_ok=True)
