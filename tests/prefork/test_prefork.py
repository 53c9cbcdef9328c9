"""Workers are forks of a process that has imported everything, or do without."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import execnet
import psutil
import pytest

from harness.prefork import launcher
from harness.prefork.start import preforked
from tests.live.test_process import all_gone, wait_until

ASKED = """
import os, sys, threading
loaded = "harness.judged" in sys.modules
{code}
channel.send((loaded, os.getpid(), {value}))
{after}
"""

BUSY = "sum(range(10**12))"
STOPPED = "os.kill(os.getpid(), 19)"


@contextmanager
def worker(
    spec: str, value: str, code: str = "", after: str = ""
) -> Iterator[tuple[bool, int, object]]:
    """Whether it was forked, its pid, and what an expression is there."""
    asked = ASKED.format(code=code, value=value, after=after)
    group = execnet.Group()
    try:
        gateway = group.makegateway(f"execmodel=main_thread_only//{spec}")
        yield gateway.remote_exec(asked).receive(30)
    finally:
        group.terminate(5)


def servers() -> list[psutil.Process]:
    """The processes that are forked for workers, of this process."""
    return [
        child
        for child in psutil.Process().children()
        if any("harness.prefork.server" in word for word in child.cmdline())
    ]


def test_workers_are_forks() -> None:
    with preforked(None) as (spec, forks):
        assert forks == ""
        (server,) = servers()
        with worker(spec, "os.getppid()") as first, worker(spec, "sys.argv") as second:
            assert (first[0], second[0]) == (True, True)
            assert first[2] == server.pid
            assert second[2] == ["-c"]
        assert wait_until(lambda: all_gone([first[1], second[1]]))
    assert not servers()


@pytest.mark.parametrize(("said", "patience_s"), [(None, 0.2), (b"", 5.0), (b"+", 5.0)])
def test_who_listens_gives_no_fork(
    said: bytes | None,
    patience_s: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is stopped, or dies before it forks, or cannot."""
    monkeypatch.setattr(launcher, "PATIENCE_S", patience_s)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("it")
        listener.listen()
        if said is not None:
            threading.Thread(target=answer, args=(listener, said)).start()
        with socket.socket(socket.AF_UNIX) as channel:
            assert not launcher.forked(channel, "it", ("-c", "pass"))


def answer(listener: socket.socket, said: bytes) -> None:
    with listener.accept()[0] as channel, channel.makefile("rb") as lines:
        lines.readline()
        channel.sendall(said)


def test_a_worker_is_as_it_would_be() -> None:
    """Folder, variables, files, threads and signals are those of a fresh process."""
    code = "import signal"
    value = (
        "(os.getcwd(), sorted(os.environ.items()), len(os.listdir('/proc/self/fd')), "
        "signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL, sys.flags.isolated)"
    )
    with (
        preforked(None) as (spec, _),
        worker(spec, value, code) as forked,
        worker("popen", value, code) as plain,
    ):
        assert (forked[0], plain[0]) == (True, False)
        assert forked[2] == plain[2]


def test_without_a_fork_the_launcher_is_the_worker() -> None:
    with preforked(None) as (spec, _):
        (server,) = servers()
        server.kill()
        server.wait(5)
        with worker(spec, "os.getppid()") as made:
            assert (made[0], made[2]) == (False, os.getpid())


@pytest.mark.parametrize("doing", ["pass", BUSY, STOPPED])
def test_a_worker_ends_with_its_launcher(doing: str) -> None:
    """As pytest-xdist kills one that hangs, also one that runs nothing any more."""
    with preforked(None) as (spec, _):
        known = set(psutil.Process().children())
        with worker(spec, "1", after=doing) as made:
            (launcher,) = set(psutil.Process().children()) - known
            launcher.kill()
            assert wait_until(lambda: all_gone([made[1]]))


@pytest.mark.parametrize("doing", [BUSY, STOPPED])
def test_a_worker_ends_with_us(doing: str) -> None:
    with preforked(None) as (spec, _):
        group = execnet.Group()
        gateway = group.makegateway(f"execmodel=main_thread_only//{spec}")
        asked = ASKED.format(code="", value="1", after=doing)
        pid = gateway.remote_exec(asked).receive(30)[1]
    assert wait_until(lambda: all_gone([pid]))
    group.terminate(1)


def test_paths_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long for a socket, or split by execnet: a fork elsewhere, or none."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    for place, forked in ((str(long), True), (f"/{tmp_path}", False)):
        monkeypatch.setattr("tempfile.tempdir", place)
        with preforked(None) as (spec, _), worker(spec, "sys.flags.isolated") as made:
            assert (made[0], made[2]) == (forked, 0)
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    with preforked(None) as given:
        assert given == ("popen", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_harness_leaves_nothing(number: int, tmp_path: Path) -> None:
    script = """
import time, psutil
from harness.prefork import launcher
from harness.prefork.start import preforked
from tests.prefork.test_prefork import worker
with preforked(None) as (spec, _), worker(spec, "1") as made:
    print(made[1], *(one.pid for one in psutil.Process().children()), flush=True)
    time.sleep(60)
"""
    env = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as popen:
        assert popen.stdout is not None
        pids = [int(word) for word in popen.stdout.readline().split()]
        assert len(pids) == 3
        popen.send_signal(number)
    assert wait_until(lambda: all_gone(pids))
    assert wait_until(lambda: not list(tmp_path.iterdir()))


def test_who_asks_for_nothing_keeps_nobody_waiting() -> None:
    with preforked(None) as (spec, _):
        path = spec.split()[-1]
        for said in (b"", b"+", b"+nonsense\n"):
            asking = subprocess.run(
                [sys.executable, "-c", ASKING, path, said.decode()], timeout=20
            )
            assert asking.returncode == 0
        with worker(spec, "1") as made:
            assert made[0]


ASKING = """
import socket, sys
channel = socket.socket(socket.AF_UNIX)
channel.connect(sys.argv[1])
channel.sendall(sys.argv[2].encode())
"""
