# SPDX-License-Identifier: GPL-2.0
"""What the checks of programs share: the two sides, what is counted, and KTAP."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

TESTS = pathlib.Path("/tests")
LONG = sys.argv[1:2] == ["long"]
TRACING = pathlib.Path("/sys/kernel/tracing/events")
PRELOAD = str(TESTS / "libraio/libraio-preload.so")
# How a program comes to one of the two; all but the first are raio.
NATIVE, RAIO = "native", "raio"
WAYS = {
    NATIVE: {},
    RAIO: {"LD_PRELOAD": PRELOAD},
    "raio by library path": {"LD_LIBRARY_PATH": str(TESTS / "libraio/libraio")},
    "raio run": {},
    # Programs that need no library.
    "raio itself": {},
}
# Each counts requests that were taken, and not calls.
COUNTS = {
    "raio": (TRACING / "raio/raio_submit", "hist:keys=opcode", "hitcount"),
    "native aio": (TRACING / "syscalls/sys_exit_io_submit", "hist:keys=__syscall_nr:vals=ret if ret > 0", "ret"),
}


class Problem(Exception):
    """Why a check failed."""


class Results:
    """KTAP on stdout."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        # Name of a figure: those of both sides.
        self.table = []
        print("KTAP version 1", flush=True)

    def add(self, name, problem=None):
        self.count += 1
        if problem:
            self.failed += 1
            for line in problem.strip().splitlines()[-30:]:
                print("#", line)
        print(f"{'not ok' if problem else 'ok'} {self.count} {name}", flush=True)

    def check(self, name, way, function, alike=None):
        """function(side) on that side, and the side; with alike, one that made as many requests."""
        side, began, problem = Side(way), time.monotonic(), None
        try:
            with contextlib.ExitStack() as side.stack:
                side.rates = function(side)
            problem = side.wrong_way(alike)
        except Problem as found:
            problem = str(found)
        except subprocess.TimeoutExpired as expired:
            problem = f"{expired.cmd} did not end in {expired.timeout} s"
        except Exception:
            problem = traceback.format_exc()
        seconds = time.monotonic() - began
        print(f"# {name}, {way}: {side.requests()}, {seconds:.0f} s", flush=True)
        self.add(f"{name}, {way}", problem)
        return side

    def both(self, name, function, alike=True):
        """On each side; a row for each figure that both have.  alike: always as many requests."""
        native = self.check(name, NATIVE, function)
        raio = self.check(name, RAIO, function, native if alike else None)
        if native.rates and raio.rates:
            for key, rate in native.rates.items():
                self.table.append((f"{name}: {key}", [rate, raio.rates[key]]))

    def end(self):
        # The kernel warns of a module that goes while one is set.
        for event, key, _ in COUNTS.values():
            (event / "trigger").write_text("!" + key)
        if self.table:
            print("# Wall clock: under TCG, of no use for a comparison.")
            row("each second", "native", "raio", "ratio")
        for name, (native, raio) in self.table:
            row(name, round(native), round(raio), f"{raio / native:.2f}")
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def row(name, *cells):
    print("# " + name.ljust(46) + "".join(str(cell).rjust(12) for cell in cells))


class Side:
    """One of native aio and raio: its programs, while the other has no context to give."""

    def __init__(self, way):
        self.way = way
        self.native = way == NATIVE
        self.stack = None
        # Figures by name, if it has some.
        self.rates = None
        # The least number of requests that the check makes.
        self.wanted = 1
        self.made = None
        # What raio run told.
        self.told = 0
        for name, limit in {"aio": 65536, "raio": 65536, "raio" if self.native else "aio": 0}.items():
            pathlib.Path(f"/proc/sys/fs/{name}-max-nr").write_text(str(limit))
        for event, key, _ in COUNTS.values():
            # Opened so, what was there is gone, with its counts.
            (event / "trigger").write_text(key)

    def counts(self):
        """How many requests each of the two got until now."""
        return {name: sum(int(count) for count in
                          re.findall(rf"\b{value}: +(\d+)", (event / "hist").read_text()))
                for name, (event, _, value) in COUNTS.items()}

    def requests(self):
        return ", ".join(f"{count} requests of {name}" for name, count in self.counts().items())

    def mine(self):
        """The requests of this side, and of the other."""
        native, raio = self.counts()["native aio"], self.counts()["raio"]
        return (native, raio) if self.native else (raio, native)

    def wrong_way(self, alike):
        """What is wrong with who got the requests."""
        self.made, other = self.mine()
        if self.made < self.wanted or other > 0:
            return f"{self.requests()}; {self.wanted} or more of {self.way} alone were expected"
        if alike and alike.made != self.made:
            return f"{self.requests()}; {alike.way} got {alike.made}"
        if self.way == "raio run" and self.told != self.made:
            return f"{self.requests()}; raio run --stats told of {self.told}"
        return None

    def env(self, more=None):
        return dict(os.environ, RAIO_FALLBACK="fail", **WAYS[self.way], **(more or {}))

    def run(self, command, cwd=None, env=None, timeout=300, check=True, plain=False):
        """Runs it on this side, or as it is if plain; its output."""
        command = [str(word) for word in command]
        stats = self.way == "raio run" and not plain
        if stats:
            command = [str(TESTS / "raio"), "run", "--stats", "--json", "--library", PRELOAD, "--", *command]
        done = subprocess.run(command, env=None if plain else self.env(env), cwd=cwd, text=True,
                              capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise Problem(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
        if stats:
            self.told += json.loads(done.stderr.strip().splitlines()[-1])["completed"]
        return done

    def start(self, command, **more):
        """Starts a server on this side, which ends with the check; its log is a file."""
        log = pathlib.Path(f"/tmp/{pathlib.Path(command[0]).name}.log")
        with log.open("w") as output:
            server = subprocess.Popen([str(word) for word in command], env=self.env(), stdout=output,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **more)
        server.log = log
        self.stack.callback(end, server)
        return server


def end(server):
    """Ends a server that start() started, and waits for it."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise


def wait_for(server, ready, what, timeout=180):
    """Waits until ready() says so; the server has to live meanwhile."""
    deadline = time.monotonic() + timeout
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            raise Problem(f"{what}: exit status {server.poll()}\n{server.log.read_text()}")
        time.sleep(0.1)


def pattern(path, size, seed=1):
    """A file of that size, of which no two blocks are alike; its content."""
    content = b"".join((seed << 32 | block).to_bytes(8, "little") * 64 for block in range(size // 512))
    pathlib.Path(path).write_bytes(content)
    return content


def same(path, content):
    found = pathlib.Path(path).read_bytes()
    if found != content:
        at = next((i for i, (a, b) in enumerate(zip(found, content)) if a != b), min(len(found), len(content)))
        raise Problem(f"{path}: differs from byte {at} on; {len(found)} bytes, expected {len(content)}")
