# SPDX-License-Identifier: GPL-2.0
"""MariaDB, with its data below O_DIRECT: a load by sysbench, kill -9, and the recovery."""

import pathlib
import re
import shutil
import signal
import subprocess

from common import LONG, RAIO, Problem, wait_for

DIRECTORY = pathlib.Path("/ext4/mariadb")
SOCKET = "/tmp/mariadb.sock"
TABLES, ROWS, COMMITS = (4, 2000, 500) if LONG else (2, 200, 30)
OPTIONS = ["--no-defaults", "--user=root", f"--datadir={DIRECTORY}", f"--socket={SOCKET}", "--skip-networking",
           "--innodb-use-native-aio=ON", "--innodb-flush-method=O_DIRECT", "--innodb-buffer-pool-size=24M",
           "--innodb-log-file-size=16M", "--innodb-read-io-threads=2", "--innodb-write-io-threads=2",
           "--skip-log-bin", "--performance-schema=OFF", "--innodb-buffer-pool-dump-at-shutdown=OFF",
           # Pages go out while the load runs.
           "--innodb-max-dirty-pages-pct=5", "--innodb-max-dirty-pages-pct-lwm=1"]
OLTP = ["--db-driver=mysql", f"--mysql-socket={SOCKET}", "--mysql-user=root", "--mysql-db=load",
        f"--tables={TABLES}", f"--table-size={ROWS}"]


def query(side, text):
    return side.run(["mariadb", "--no-defaults", f"--socket={SOCKET}", "-uroot", "-N", "-B", "-e", text], plain=True).stdout


def start(side):
    pathlib.Path(SOCKET).unlink(missing_ok=True)
    server = side.start(["mariadbd", *OPTIONS])
    wait_for(server, lambda: "ready for connections" in server.log.read_text(), "mariadbd")
    return server


def complaints(server):
    """What its log says of errors, and of aio that it does without."""
    bad = [line for line in server.log.read_text().splitlines()
           if re.search(r"\[ERROR\]|native AIO|Native AIO|io_setup|io_getevents|corrupt", line)
           and "Using " not in line]
    if bad:
        raise Problem("\n".join(bad))


def check_tables(side):
    for number in range(1, TABLES + 1):
        answer = query(side, f"CHECK TABLE load.sbtest{number} EXTENDED")
        if not answer.strip().endswith("\tOK"):
            raise Problem(answer)


def mariadb(side):
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir()
    side.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={DIRECTORY}",
              "--auth-root-authentication-method=normal", "--skip-test-db", *OPTIONS[4:]], timeout=600)
    server = start(side)
    query(side, "CREATE DATABASE `load`; CREATE TABLE `load`.done (id INT PRIMARY KEY) ENGINE=InnoDB")
    side.run(["sysbench", "oltp_read_write", *OLTP, "prepare"], plain=True)
    load = subprocess.Popen(["sysbench", "oltp_read_write", *OLTP, "--threads=4", "--time=0", "--events=0", "run"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    side.stack.callback(load.kill)
    # What is committed before the kill has to be there after it.
    done = commits = 0
    while commits < COMMITS:
        done += 1
        commits = int(query(side, f"""INSERT INTO `load`.done VALUES ({done});
            SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_COMMIT'"""))
        if load.poll() is not None:
            raise Problem(load.communicate()[0])
    complaints(server)
    server.send_signal(signal.SIGKILL)
    server.wait()
    load.wait(60)
    before = side.counts()
    server = start(side)
    if "Starting crash recovery" not in server.log.read_text():
        raise Problem(f"no recovery:\n{server.log.read_text()}")
    if query(side, "SELECT COUNT(*), MAX(id) FROM `load`.done").split() != [str(done), str(done)]:
        raise Problem("a committed row is missing")
    check_tables(side)
    # In a transaction of the load a row that is deleted is inserted again.
    for number in range(1, TABLES + 1):
        if int(query(side, f"SELECT COUNT(*) FROM `load`.sbtest{number}")) != ROWS:
            raise Problem(f"sbtest{number}: not {ROWS} rows")
    after = side.run(["sysbench", "oltp_read_write", *OLTP, "--threads=4", "--time=0",
                      f"--events={200 if LONG else 20}", "run"], plain=True).stdout
    check_tables(side)
    server.terminate()
    server.wait(120)
    complaints(server)
    if side.counts() == before:
        raise Problem("no request after the recovery")
    side.wanted = 100
    return {"transactions": float(re.search(r"transactions: .*\(([0-9.]+) per sec", after).group(1))}


def checks(results):
    if LONG:
        results.both("MariaDB", mariadb, alike=False)
    else:
        results.check("MariaDB", RAIO, mariadb)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
