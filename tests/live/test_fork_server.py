"""Forks are processes like any other, with nothing of their own there before."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import CouldNotRun, HarnessError
from harness.live.arm import LiveArm
from harness.live.fork_server import Forked, ForkServer, Preloaded
from harness.live.process import end_group, signal_group
from tests.live.test_process import all_gone, freeze, is_alive, run_harness, wait_until

pytestmark = pytest.mark.anyio

# What it tells shows what a process has of its own.
TELLING = """
import sys
preloaded = "msgspec" in sys.modules
import json, multiprocessing, os, pickle, signal, threading, own
class Here: pass
print(json.dumps({
    "numbers": [os.getpid(), os.getpgid(0), os.getsid(0), own.PID],
    "arguments": sys.argv, "whole": sys.orig_argv[1:], "name": __name__,
    "folder": os.getcwd(), "path": sys.path, "variables": dict(os.environ),
    "input": sys.stdin.read(), "files": len(os.listdir("/proc/self/fd")),
    "threads": threading.active_count(), "modes": [sys.stdout.line_buffering],
    "masked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "handled": signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL,
    "here": pickle.loads(pickle.dumps(Here())).__module__,
    "aliases": [n for n, m in sys.modules.items() if m is sys.modules["__main__"]],
    "ours": [name for name in sys.modules if name.split(".")[0] == "harness"],
}))
if not preloaded:
    print("not preloaded")
print("said", file=sys.stderr)
sys.exit(7)
"""
THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=[300]).start()
"""
PID = "import os\nPID = os.getpid()\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of some programs, which is the current one."""
    for name, text in (
        ("telling", TELLING),
        ("own", PID),
        ("sleeping", "import time\nprint('up', flush=True)\ntime.sleep(300)"),
        ("broken", "raise ValueError('oops')"),
        ("deadly", "import os\nos._exit(3)"),
        ("threaded", THREAD),
        ("harness", "raise ValueError('no module of the harness')"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def forks(here: Path) -> AsyncIterator[ForkServer]:
    """One that has imported some libraries."""
    server = await ForkServer.start(
        ["msgspec", "multiprocessing"], here / "preload.log"
    )
    yield server
    await server.stop()


def fork(forks: ForkServer, module: str, *arguments: str, **env: str) -> Forked:
    here = Path.cwd()
    command = [sys.executable, "-m", module, *arguments]
    return forks.spawn(command, cwd=here, env=os.environ | env, log=here / "log")


async def ended(child: Forked) -> int | None:
    async with asyncio.timeout(10):
        while child.poll() is None:
            await asyncio.sleep(0.005)
    return child.returncode


def told(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.splitlines()[0])
    return found


def by_hand() -> str:
    """What it tells where Python starts it."""
    command = [sys.executable, "-m", "telling", "--port", "1 2"]
    env = os.environ | {"GIVEN": "x=y"}
    made = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    return made.stdout


async def test_a_fork_is_what_python_m_makes(here: Path, forks: ForkServer) -> None:
    child = fork(forks, "telling", "--port", "1 2", GIVEN="x=y")
    assert await ended(child) == 7
    text = (here / "log").read_text()
    forked, made = told(text), told(by_hand())
    assert text.splitlines()[1:] == ["said"]
    assert forked.pop("numbers") == [child.pid] * 4
    assert len(set(made.pop("numbers"))) == 1
    assert forked == made
    await end_group(child, grace_s=1)


async def test_an_end_is_told_with_its_signal(forks: ForkServer) -> None:
    for _ in range(20):  # at once: it leads its group when its number is known
        child = fork(forks, "sleeping")
        assert child.poll() is None
        await end_group(child, grace_s=0)
        assert child.returncode == -signal.SIGKILL
        assert not is_alive(child.pid)


async def test_an_error_is_in_its_output(here: Path, forks: ForkServer) -> None:
    assert await ended(fork(forks, "broken")) == 1
    assert "ValueError: oops" in (here / "log").read_text()
    assert await ended(fork(forks, "no_such_module")) == 1
    assert "no_such_module" in (here / "log").read_text()


THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=[99]).start()"
)


@pytest.mark.parametrize(
    ("library", "says"),
    [
        ("no_such_library", "no_such_library: ModuleNotFoundError"),
        ("own", "own: no installed library"),
        ("deadly", "the fork server has ended"),
        ("broken", "broken: ValueError: oops"),
        ("threaded", "a thread runs already"),
    ],
)
async def test_what_no_fork_could_do_with(library: str, says: str, here: Path) -> None:
    with pytest.raises(CouldNotRun, match=says):
        await ForkServer.start(["json", library], here / "preload.log")


async def test_what_takes_too_long(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.live.fork_server.READY_S", 0.2)
    with pytest.raises(CouldNotRun, match=r"took longer than 0\.2 s .*preload\.log"):
        await ForkServer.start(["json", "sleeping"], here / "preload.log")


async def test_after_a_failure_it_takes_no_more(forks: ForkServer) -> None:
    child = fork(forks, "sleeping")
    assert forks.alive
    assert forks._own is not None
    signal_group(forks._own._popen, signal.SIGKILL)
    forks._own._popen.wait()
    assert not forks.alive
    with pytest.raises(HarnessError, match=f"no word of process {child.pid}"):
        child.poll()
    with pytest.raises(HarnessError, match="no fork for"):
        fork(forks, "sleeping")
    with pytest.raises(HarnessError, match="no word"):
        await end_group(child, grace_s=0)
    assert wait_until(lambda: not is_alive(child.pid))


async def test_several_ask_one(here: Path) -> None:
    """Each is told of its own, and one that is gone leaves the others theirs."""
    path, log = str(here / "forks"), here / "preload.log"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        preloaded = Preloaded(["msgspec"], listener, log)
    forks, *others = [await ForkServer.join(path) for _ in range(4)]
    children = [fork(one, "broken") for one in others]
    gone = fork(others[0], "sleeping")
    await others.pop(0).stop()
    assert [await ended(child) for child in children[1:]] == [1, 1]
    assert await ended(fork(forks, "broken")) == 1
    assert is_alive(gone.pid)
    signal_group(gone, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(gone.pid))
    for one in others:
        assert one.alive
        await one.stop()
    assert await ended(fork(forks, "broken")) == 1
    await preloaded.stop()
    assert not forks.alive
    await forks.stop()
    with pytest.raises(ConnectionRefusedError):
        await ForkServer.join(path)


@pytest.fixture
def starting(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A library that starts a process when it is imported."""
    monkeypatch.setenv("PYTHONUSERBASE", str(here))
    asked = "import site; print(site.getusersitepackages())"
    told = subprocess.check_output([sys.executable, "-c", asked], text=True)
    libraries = Path(told.strip())
    libraries.mkdir(parents=True)
    text = "import subprocess\nsubprocess.Popen(['sleep', '0.2'])\n"
    (libraries / "starting.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(libraries))
    return "starting"


async def test_a_child_of_a_library_is_none_of_ours(here: Path, starting: str) -> None:
    forks = await ForkServer.start([starting], here / "preload.log")
    await asyncio.sleep(0.5)
    assert await ended(fork(forks, "broken")) == 1
    await forks.stop()


async def test_without_the_one_of_all_a_worker_has_its_own(here: Path) -> None:
    arm = LiveArm(binary=here / "none", folder=here, forks=str(here / "gone"))
    forks = await arm._forks_with(("json",))
    assert forks is not None
    assert await ended(fork(forks, "broken")) == 1
    assert await arm._forks_with(("json",)) is forks
    await arm.aclose()
    assert not forks.alive


async def test_who_does_not_answer_is_asked_no_more(
    forks: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.live.fork_server.FORK_S", 0.2)
    assert forks._own is not None
    freeze(forks._own._popen.pid)
    with pytest.raises(HarnessError, match=r"no fork for .*timed out"):
        fork(forks, "sleeping")
    assert not forks.alive


@pytest.mark.parametrize("forked", [0, 5])
def test_killed_harness_leaves_no_fork(forked: int, here: Path) -> None:
    script = f"""
from harness.live.arm import LiveArm
from harness.live.fork_server import ForkServer
async def main():
    forks = await ForkServer.start(["json"], folder / "preload.log")
    command = ["python", "-m", "sleeping"]
    made = dict(cwd=folder, env=os.environ, log=folder / "log")
    pids = [forks.spawn(command, **made).pid for _ in range({forked})]
    print(forks._own._popen.pid, *pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
os.chdir(folder)
asyncio.run(main())
"""
    (here / "harness.py").unlink()
    status, pids = run_harness(script, here)
    assert (status, len(pids)) == (-signal.SIGKILL, forked + 1)
    assert wait_until(lambda: all_gone(pids), within_s=2)


def test_killed_while_it_imports(here: Path) -> None:
    (here / "hanging.py").write_text("import time\ntime.sleep(300)")
    script = """
from harness.live import fork_server
async def main():
    server = fork_server.ForkServer.start(["hanging"], folder / "log")
    starting = asyncio.create_task(server)
    await asyncio.sleep(0.3)
    print(*process._watchdog._groups, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
os.chdir(folder)
asyncio.run(main())
"""
    (here / "harness.py").unlink()
    status, pids = run_harness(script, here)
    assert (status, len(pids)) == (-signal.SIGKILL, 1)
    assert wait_until(lambda: all_gone(pids), within_s=2)
