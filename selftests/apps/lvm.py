# SPDX-License-Identifier: GPL-2.0
"""LVM, which reads and writes its metadata by aio."""

import pathlib

from common import Problem

DISK = "/dev/vdc"
CONFIG = """devices { obtain_device_list_from_udev=0 external_device_info_source="none" use_devicesfile=0
	scan_lvs=0 filter=[ "a|^/dev/vdc$|", "r|.*|" ] }
activation { udev_sync=0 udev_rules=0 verify_udev_operations=1 monitoring=0 }
global { use_aio=1 event_activation=0 use_lvmpolld=0 }
backup { backup=0 archive=0 }"""


def lvm(side):
    def run(*words):
        return side.run([*words, "--config", CONFIG]).stdout

    side.run(["wipefs", "-aq", DISK], plain=True)
    run("pvcreate", "-qqy", DISK)
    run("vgcreate", "-qq", "-s", "1m", "group", DISK)
    try:
        run("lvcreate", "-qqy", "-Wn", "-Zn", "-L", "16m", "-n", "one", "group")
        run("lvcreate", "-qqy", "-Wn", "-Zn", "-L", "8m", "-n", "two", "group")
        run("lvextend", "-qqy", "-L", "+8m", "group/one")
        run("lvrename", "-qq", "group/two", "group/three")
        found = run("lvs", "--noheadings", "--units", "m", "-o", "lv_name,lv_size", "group").split()
        if found != ["one", "24.00m", "three", "8.00m"]:
            raise Problem(f"lvs: {found}")
        content = bytes(range(256)) * 4096
        volume = pathlib.Path("/dev/mapper/group-one")
        volume.write_bytes(content)
        if volume.read_bytes()[:len(content)] != content:
            raise Problem("/dev/mapper/group-one: what was written is not there")
        run("vgck", "group")
        run("pvck", DISK)
    finally:
        run("vgremove", "-qqy", "-f", "group")
        run("pvremove", "-qqy", DISK)
    if DISK in run("pvs", "--noheadings"):
        raise Problem("the physical volume is still there")
    # Each command looks at the disk, and some write it.
    side.wanted = 10


def checks(results):
    results.both("lvm2", lvm)
