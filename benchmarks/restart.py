"""A restart (kill to ready) by the supervisor, against processes started by hand."""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Measured, paired
from harness.arm import How
from harness.core.history import FORMAT, VERSION, Header
from harness.core.recorder import Recorder
from harness.core.target import fill, load_target, values_of
from harness.live.fork_server import ForkServer
from harness.live.ports import HOST, lease_port
from harness.live.server import LiveServer
from harness.options import find_target

RUNS = 7
BARE = """
import uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, host="127.0.0.1", port=%d, log_level="critical", lifespan="off")
"""


def measure() -> list[Measured]:
    """Ours against the same command by hand, and against a bare uvicorn."""
    with (
        tempfile.TemporaryDirectory(prefix="unbroken-bench-") as name,
        _Ours(Path(name)) as ours,
    ):
        port = lease_port().number
        command = _reference(port, Path(name))
        same, bare = _ByHand(command, port), _bare(lease_port().number)
        return [
            paired("restart / the same command by hand", ours, same, runs=RUNS),
            paired("restart / a bare uvicorn by hand", ours, bare, runs=RUNS),
        ]


class _Ours:
    """Kills and starts the reference server through the live arm's supervisor."""

    def __init__(self, folder: Path) -> None:
        target = load_target(find_target("reference"))
        limits = target.profiles["broadcast"].limits
        header = Header(
            format=FORMAT,
            version=VERSION,
            scenario="restart",
            requirements=(),
            arm="live",
            seed=0,
            target=target.name,
            profile="broadcast",
            limits=limits,
            tolerances=target.tolerances,
            retry_ms=target.retry_ms,
        )
        recorder = Recorder(folder / "history.jsonl", header, time.monotonic)
        self._runner = asyncio.Runner()
        self._recorder = recorder
        assert target.start is not None
        log = folder / "preload.log"
        self._forks = self._runner.run(ForkServer.start(target.start.preload, log))
        self._server = LiveServer(
            forks=self._forks,
            target=target,
            start=target.start,
            profile="broadcast",
            recorder=recorder,
            folder=folder,
        )

    def __enter__(self) -> "_Ours":
        self._runner.run(self._server.start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._server.aclose())
        self._runner.run(self._forks.stop())
        self._runner.close()
        self._recorder.close()

    def __call__(self) -> None:
        self._runner.run(self._restart())

    async def _restart(self) -> None:
        await self._server.stop(How.KILL)
        await self._server.start()


class _ByHand:
    """Starts a command, waits until it answers, kills it."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self._command = command
        self._url = f"http://{HOST}:{port}/healthz"

    def __call__(self) -> None:
        child = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not self._answers():
                time.sleep(0.005)
        finally:
            child.kill()
            child.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _bare(port: int) -> Callable[[], None]:
    return _ByHand([sys.executable, "-c", BARE % port], port)


def _reference(port: int, folder: Path) -> list[str]:
    target = load_target(find_target("reference"))
    assert target.start is not None
    data = folder / "by-hand"
    data.mkdir()
    values = values_of(target, "broadcast") | {
        "python": sys.executable,
        "host": HOST,
        "port": port,
        "data": str(data),
    }
    return fill(target.start.command, values, name=target.name)
