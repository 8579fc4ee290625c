# SPDX-License-Identifier: GPL-2.0
"""qemu-img, qemu-io and qemu-storage-daemon with aio=native.

QEMU takes events from the ring by itself.
"""

import pathlib

from common import LONG, Problem, pattern, same, wait_for

DIRECTORY = pathlib.Path("/ext4/qemu")
SIZE = (32 if LONG else 8) << 20


def native(path, driver="raw"):
    return f"driver={driver},file.driver=file,file.filename={path},file.aio=native,file.cache.direct=on"


def convert(side):
    """raw to qcow2 and back."""
    raw, qcow2, back = (DIRECTORY / name for name in ["raw", "qcow2", "back"])
    content = pattern(raw, SIZE)
    side.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, SIZE])
    side.run(["qemu-img", "create", "-q", "-f", "raw", back, SIZE])
    command = ["qemu-img", "convert", "-n", "-m", "16", "-W", "--image-opts", "--target-image-opts"]
    side.run([*command, native(raw), native(qcow2, "qcow2")])
    side.run([*command, native(qcow2, "qcow2"), native(back)])
    same(back, content)
    side.run(["qemu-img", "compare", "--image-opts", native(raw), native(qcow2, "qcow2")])
    side.run(["qemu-img", "check", "--image-opts", native(qcow2, "qcow2")])
    # All is read and written in pieces of no more than 2 MiB.
    side.wanted = 4 * SIZE // (2 << 20)


def bench(side):
    """Many requests at once."""
    count, rates = 20000 if LONG else 2000, {}
    image = DIRECTORY / "raw"
    for name, more in {"read": [], "write": ["-w"], "write and flush": ["-w", "--flush-interval=64"]}.items():
        done = side.run(["qemu-img", "bench", "-t", "none", "-i", "native", "-f", "raw", "-c", count,
                         "-d", "64", "-s", "4096", *more, image])
        rates[name] = count / float(done.stdout.split("completed in ")[1].split()[0])
    side.wanted = 3 * count
    return rates


def io(side):
    """What was written is read, with requests that are cancelled by the end meanwhile."""
    image = DIRECTORY / "io"
    side.run(["qemu-img", "create", "-q", "-f", "raw", image, "8M"])
    commands = [f"aio_write -P {number} {number * 64}k 64k" for number in range(1, 65)]
    commands += ["aio_flush"]
    commands += [f"aio_read -P {number} {number * 64}k 64k" for number in range(1, 65)]
    commands += ["aio_flush"]
    words = [word for command in commands for word in ("-c", command)]
    done = side.run(["qemu-io", "-n", "-i", "native", "-f", "raw", *words, image])
    if "verification failed" in done.stdout or done.stdout.count("65536/65536") != 128:
        raise Problem(done.stdout)
    side.wanted = 128


def storage_daemon(side):
    """An NBD server, and qemu-img as its client, which uses no aio."""
    raw, image, socket = DIRECTORY / "raw", DIRECTORY / "served", DIRECTORY / "nbd"
    content = pattern(raw, SIZE, 2)
    side.run(["qemu-img", "create", "-q", "-f", "raw", image, SIZE], plain=True)
    socket.unlink(missing_ok=True)
    server = side.start(["qemu-storage-daemon", "--blockdev",
                         f"driver=file,node-name=file,filename={image},aio=native,cache.direct=on",
                         "--nbd-server", f"addr.type=unix,addr.path={socket}",
                         "--export", "type=nbd,id=export,node-name=file,name=disk,writable=on"])
    wait_for(server, socket.exists, "qemu-storage-daemon")
    uri = f"nbd+unix:///disk?socket={socket}"
    side.run(["qemu-img", "convert", "-n", "-m", "16", "-W", "-f", "raw", "-O", "raw", raw, uri], plain=True)
    side.run(["qemu-img", "compare", "-f", "raw", "-F", "raw", raw, uri], plain=True)
    same(image, content)
    side.wanted = 2 * SIZE // (2 << 20)


def checks(results):
    DIRECTORY.mkdir(exist_ok=True)
    results.both("qemu-img convert", convert, alike=False)
    results.both("qemu-img bench", bench, alike=False)
    results.both("qemu-io", io)
    results.both("qemu-storage-daemon", storage_daemon, alike=False)
    results.check("qemu-img convert", "raio run", convert)
    for file in DIRECTORY.iterdir():
        file.unlink()
