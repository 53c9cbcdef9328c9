"""Groups end as a whole, and nothing survives a harness that was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.live.process import end_group, signal_group, spawn
from harness.live.toxiproxy_binary import find_or_build

# The first test that needs toxiproxy may have to build it.
pytestmark = pytest.mark.timeout(600)

# A server behind a wrapper: both refuse TERM, and the log tells the server's pid.
STUBBORN = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; exec sleep 300' & wait"

# What the harness process of an orphan test starts with; `log` and `folder` are set.
PRELUDE = f"""
import asyncio, os, signal, sys, time
from pathlib import Path
from harness.live import process
from harness.live.process import spawn
from harness.live.toxiproxy_server import ToxiproxyServer
folder, STUBBORN = Path(sys.argv[1]), {STUBBORN!r}
def target(name):
    command = ["sh", "-c", STUBBORN]
    return spawn(command, cwd=folder, env=None, log=folder / name).pid
def wait_for_log(name):
    while not (folder / name).read_text().strip():
        time.sleep(0.005)
    return int((folder / name).read_text())
"""


def is_alive(pid: int) -> bool:
    """Zombies are dead: nobody may be there to reap an orphan."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_until(condition: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


def freeze(pid: int) -> None:
    """Stop it with all its threads: on a busy machine they go on for a moment."""
    os.kill(pid, signal.SIGSTOP)
    tasks = list(Path(f"/proc/{pid}/task").glob("*/stat"))

    def stopped() -> bool:
        return all(
            one.read_text().rpartition(")")[2].split()[0] == "T" for one in tasks
        )

    assert wait_until(stopped)


def said(log: Path) -> str:
    """Wait for the log's first line."""
    assert wait_until(lambda: "\n" in log.read_text())
    return log.read_text()


def start(script: str, folder: Path) -> subprocess.Popen[bytes]:
    command = ["sh", "-c", script]
    return spawn(command, cwd=folder, env=None, log=folder / "log")


def run_harness(script: str, folder: Path) -> tuple[int, list[int]]:
    """Run a harness process to its end; its exit status and the pids it printed."""
    command = [sys.executable, "-c", PRELUDE + script, str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=30, text=True)
    return done.returncode, [int(word) for word in done.stdout.split()]


def all_gone(pids: Iterable[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def test_child_leads_its_own_group_and_reads_nothing(tmp_path: Path) -> None:
    popen = start("cat; ps -o pid=,pgid=,sid= -p $$; echo oops >&2", tmp_path)
    assert popen.wait(timeout=5) == 0
    numbers, oops = (tmp_path / "log").read_text().splitlines()
    assert [int(word) for word in numbers.split()] == [popen.pid] * 3
    assert oops == "oops"
    asyncio.run(end_group(popen, grace_s=1))


def test_log_is_appended_to(tmp_path: Path) -> None:
    for _ in range(2):
        popen = start("echo again", tmp_path)
        popen.wait(timeout=5)
        asyncio.run(end_group(popen, grace_s=1))
    assert (tmp_path / "log").read_text() == "again\nagain\n"


def test_environment_arrives_whole(tmp_path: Path) -> None:
    sent = {"PATH": os.environ["PATH"], "server.port": "1", "A-B": "2", "PLAIN": "x y"}
    popen = spawn(["env"], cwd=tmp_path, env=sent, log=tmp_path / "log")
    assert popen.wait(timeout=5) == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert {f"{key}={value}" for key, value in sent.items()} <= set(lines)
    assert not any(line.startswith("HOME=") for line in lines)
    asyncio.run(end_group(popen, grace_s=1))


@pytest.mark.parametrize("command", [[], ["no-such-program"], ["./no-such-file"]])
def test_missing_program_is_told_at_once(command: list[str], tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=command[0] if command else "empty"):
        spawn(command, cwd=tmp_path, env=None, log=tmp_path / "log")


def test_program_is_found_in_the_childs_folder(tmp_path: Path) -> None:
    program = tmp_path / "run me"
    program.write_text("#!/bin/sh\necho $1\n")
    program.chmod(0o755)
    command = ["./run me", "a  b"]
    popen = spawn(command, cwd=tmp_path, env=None, log=tmp_path / "log")
    popen.wait(timeout=5)
    assert (tmp_path / "log").read_text() == "a b\n"
    asyncio.run(end_group(popen, grace_s=1))


def test_end_lets_the_group_finish(tmp_path: Path) -> None:
    # The wrapper leaves at once; the server behind it needs a moment to drain.
    popen = start(
        'sh -c \'trap "sleep 0.2; echo drained; exit" TERM; echo up;'
        " while :; do sleep 0.01; done' & wait",
        tmp_path,
    )
    said(tmp_path / "log")
    asyncio.run(end_group(popen, grace_s=5))
    assert (tmp_path / "log").read_text().endswith("drained\n")


def test_end_kills_what_refuses(tmp_path: Path) -> None:
    popen = start(STUBBORN, tmp_path)
    server = int(said(tmp_path / "log"))
    started = time.monotonic()
    asyncio.run(end_group(popen, grace_s=0.2))
    assert all_gone([popen.pid, server])
    assert time.monotonic() - started >= 0.2
    assert popen.returncode == -signal.SIGKILL


def test_end_reaches_what_an_exited_leader_left(tmp_path: Path) -> None:
    popen = start("sleep 300 & echo $!", tmp_path)
    popen.wait(timeout=5)
    left = int(said(tmp_path / "log"))
    assert is_alive(left)
    asyncio.run(end_group(popen, grace_s=1))
    assert not is_alive(left)


def test_stopped_group_still_obeys(tmp_path: Path) -> None:
    popen = start("trap 'echo bye; exit' TERM; echo up; while :; do :; done", tmp_path)
    said(tmp_path / "log")
    assert signal_group(popen, signal.SIGSTOP)
    asyncio.run(end_group(popen, grace_s=5))
    assert (tmp_path / "log").read_text() == "up\nbye\n"
    assert not signal_group(popen, signal.SIGTERM)


def test_cancelled_end_still_kills(tmp_path: Path) -> None:
    popen = start(STUBBORN, tmp_path)
    server = int(said(tmp_path / "log"))

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(end_group(popen, grace_s=60), 0.05)

    asyncio.run(cancelled())
    assert wait_until(lambda: all_gone([popen.pid, server]))
    asyncio.run(end_group(popen, grace_s=0))


def test_killed_harness_leaves_nothing(tmp_path: Path) -> None:
    binary = find_or_build(print)
    script = f"""
async def main():
    server = await ToxiproxyServer.start(Path({str(binary)!r}), folder)
    print(target("log"), wait_for_log("log"), server._popen.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    status, pids = run_harness(script, tmp_path)
    assert (status, len(pids)) == (-signal.SIGKILL, 3)
    assert wait_until(lambda: all_gone(pids), within_s=2)


def test_harness_killed_while_it_starts_children_leaves_nothing(tmp_path: Path) -> None:
    script = """
print(*(target(f"log{n}") for n in range(20)), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    _, pids = run_harness(script, tmp_path)
    assert len(pids) == 20
    assert wait_until(lambda: all_gone(pids), within_s=2)


def test_killed_watchdog_is_replaced(tmp_path: Path) -> None:
    script = """
first, server = target("log"), wait_for_log("log")
watchdog = process._watchdog._popen
watchdog.kill()
watchdog.wait()
print(first, server, target("log2"), wait_for_log("log2"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    _, pids = run_harness(script, tmp_path)
    assert len(pids) == 4
    assert wait_until(lambda: all_gone(pids), within_s=2)


def test_harness_that_exits_leaves_nothing(tmp_path: Path) -> None:
    status, pids = run_harness('print(target("log"), wait_for_log("log"))', tmp_path)
    assert (status, len(pids)) == (0, 2)
    assert all_gone(pids)


def test_ended_group_is_off_the_list(tmp_path: Path) -> None:
    # Its number may be another process's by the time the watchdog kills.
    script = """
popen = spawn(["true"], cwd=folder, env=None, log=folder / "log")
asyncio.run(process.end_group(popen, grace_s=1))
print(len(process._watchdog._groups))
"""
    assert run_harness(script, tmp_path) == (0, [0])
