# SPDX-License-Identifier: GPL-2.0
"""tgtd, an iSCSI target, with its aio backing store; qemu-img is the initiator."""

import pathlib

from common import LONG, pattern, same, wait_for

SIZE = (32 if LONG else 8) << 20
RAW, STORE, BACK = (pathlib.Path(f"/ext4/tgt-{name}") for name in ["raw", "store", "back"])


def tgt(side):
    pathlib.Path("/run/tgtd").mkdir(exist_ok=True)
    content = pattern(RAW, SIZE)
    STORE.write_bytes(bytes(SIZE))
    server = side.start(["tgtd", "-f", "--iscsi", "portal=127.0.0.1:3260"])

    def admin(*words, check=True):
        return side.run(["tgtadm", "--lld", "iscsi", *words], plain=True, check=check)

    wait_for(server, lambda: admin("--op", "show", "--mode", "sys", check=False).returncode == 0, "tgtd")
    name = "iqn.2000-01.raio:disk"
    admin("--op", "new", "--mode", "target", "--tid", "1", "-T", name)
    admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--bstype", "aio", "-b", STORE)
    admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
    uri = f"iscsi://127.0.0.1/{name}/1"
    side.run(["qemu-img", "convert", "-n", "-m", "16", "-W", "-f", "raw", "-O", "raw", RAW, uri], plain=True)
    side.run(["qemu-img", "convert", "-m", "16", "-W", "-f", "raw", "-O", "raw", uri, BACK], plain=True)
    same(BACK, content)
    admin("--op", "unbind", "--mode", "target", "--tid", "1", "-I", "ALL")
    admin("--op", "delete", "--mode", "target", "--tid", "1", "--force")
    same(STORE, content)
    admin("--op", "delete", "--mode", "system")
    server.wait(60)
    side.wanted = 2 * SIZE // (2 << 20)


def checks(results):
    results.both("tgt", tgt, alike=False)
    for file in [RAW, STORE, BACK]:
        file.unlink(missing_ok=True)
