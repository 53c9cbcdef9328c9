"""Forks are processes like any other, with nothing of their own there before."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.core.errors import CouldNotRun, HarnessError
from harness.live.fork_server import Forked, ForkServer
from harness.live.process import end_group
from tests.live.test_process import all_gone, is_alive, run_harness, wait_until

pytestmark = pytest.mark.anyio

# What it tells shows what a process has of its own.
TELLING = """
import json, os, sys, library, own
print(json.dumps({
    "pid": os.getpid(), "group": os.getpgid(0), "session": os.getsid(0),
    "arguments": sys.argv, "main": __name__, "folder": os.getcwd(),
    "path": sys.path[0], "variables": dict(os.environ), "input": sys.stdin.read(),
    "library": library.PID, "own": own.PID,
}))
print("said", file=sys.stderr)
sys.exit(7)
"""
PID = "import os\nPID = os.getpid()\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ForkServer]:
    """One that has imported `library`."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("telling", TELLING),
        ("library", PID),
        ("own", PID),
        ("sleeping", "import time\nprint('up', flush=True)\ntime.sleep(300)"),
        ("broken", "raise ValueError('oops')"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    server = await ForkServer.start(["library"], tmp_path / "preload.log")
    yield server
    server.stop()


def fork(forks: ForkServer, module: str, *arguments: str, **env: str) -> Forked:
    here = Path.cwd()
    command = ["python", "-m", module, *arguments]
    return forks.spawn(command, cwd=here, env=os.environ | env, log=here / "log")


async def ended(child: Forked) -> int | None:
    async with asyncio.timeout(10):
        while child.poll() is None:
            await asyncio.sleep(0.005)
    return child.returncode


async def test_a_fork_runs_as_python_m_does(forks: ForkServer) -> None:
    here = Path.cwd()
    child = fork(forks, "telling", "--port", "1 2", GIVEN="x=y")
    assert await ended(child) == 7
    told, said = (here / "log").read_text().splitlines()
    found = json.loads(told)
    assert said == "said"
    assert [found[key] for key in ("pid", "group", "session")] == [child.pid] * 3
    assert found["arguments"] == [str(here / "telling.py"), "--port", "1 2"]
    assert (found["main"], found["input"]) == ("__main__", "")
    assert [found["folder"], found["path"]] == [str(here)] * 2
    assert found["variables"] == os.environ | {"GIVEN": "x=y"}
    await end_group(child, grace_s=1)


async def test_only_libraries_are_there_before(forks: ForkServer) -> None:
    children = [fork(forks, "telling") for _ in range(2)]
    for child in children:
        await ended(child)
    lines = (Path.cwd() / "log").read_text().splitlines()
    found = [json.loads(line) for line in lines if line != "said"]
    assert {one["own"] for one in found} == {child.pid for child in children}
    assert len({one["library"] for one in found}) == 1


async def test_an_end_is_told_with_its_signal(forks: ForkServer) -> None:
    child = fork(forks, "sleeping")
    assert child.poll() is None
    await end_group(child, grace_s=0)
    assert child.returncode == -signal.SIGKILL
    assert not is_alive(child.pid)


async def test_an_error_is_in_its_output(forks: ForkServer) -> None:
    assert await ended(fork(forks, "broken")) == 1
    assert "ValueError: oops" in (Path.cwd() / "log").read_text()
    assert await ended(fork(forks, "no_such_module")) == 1
    assert "no_such_module" in (Path.cwd() / "log").read_text()


async def test_a_library_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="preload: no_such_library: ModuleNotFound"):
        await ForkServer.start(["json", "no_such_library"], tmp_path / "log")


async def test_a_library_that_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deadly.py").write_text("import os\nos._exit(3)")
    with pytest.raises(CouldNotRun, match="the fork server has ended"):
        await ForkServer.start(["deadly"], tmp_path / "log")


async def test_without_the_fork_server_nobody_knows(forks: ForkServer) -> None:
    child = fork(forks, "sleeping")
    assert forks.alive
    forks._popen.kill()
    forks._popen.wait()
    assert not forks.alive
    with pytest.raises(HarnessError, match=f"no word of process {child.pid}"):
        child.poll()
    with pytest.raises(HarnessError, match="no fork for"):
        fork(forks, "sleeping")
    os.killpg(child.pid, signal.SIGKILL)


def test_killed_harness_leaves_no_fork(tmp_path: Path) -> None:
    (tmp_path / "sleeping.py").write_text("import time\ntime.sleep(300)")
    script = """
from harness.live.fork_server import ForkServer
async def main():
    os.chdir(folder)
    forks = await ForkServer.start(["json"], folder / "preload.log")
    command = ["python", "-m", "sleeping"]
    made = dict(cwd=folder, env=os.environ, log=folder / "log")
    pids = [forks.spawn(command, **made).pid for _ in range(5)]
    print(forks._popen.pid, *pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    status, pids = run_harness(script, tmp_path)
    assert (status, len(pids)) == (-signal.SIGKILL, 6)
    assert wait_until(lambda: all_gone(pids), within_s=2)
