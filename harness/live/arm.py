"""The live arm: real time, real processes, real sockets through toxiproxy."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from harness.case import Case, no_longer_than
from harness.core.recorder import Recorder
from harness.core.target import App, Start
from harness.live.network import LiveNetwork
from harness.live.server import LiveServer, RunningServer
from harness.live.toxiproxy_binary import VERSION
from harness.live.toxiproxy_server import ToxiproxyServer
from harness.world import World

T = TypeVar("T")

CASE_S = 90.0


class LiveArm:
    """Makes worlds; keeps one toxiproxy for all, and a fresh one when it died."""

    name = "live"
    versions: ClassVar = {"toxiproxy": VERSION}

    def __init__(self, *, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._toxiproxy: ToxiproxyServer | None = None

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` on an ordinary loop."""
        return asyncio.run(main)

    def bounded(self) -> AbstractAsyncContextManager[None]:
        """No case may take longer, whatever a target or a scenario does."""
        return no_longer_than(CASE_S)

    @asynccontextmanager
    async def world(
        self, case: Case, recorder: Recorder, folder: Path
    ) -> AsyncIterator[World]:
        """A world for one case; its scratch files go to `folder`."""
        toxiproxy = await self._running_toxiproxy()
        target = case.target
        server: LiveServer | RunningServer
        start = target.start or _uvicorn(target.app, case.mutant)
        if start is None:
            server = RunningServer(target=target, recorder=recorder)
        else:
            server = LiveServer(
                target=target,
                start=start,
                profile=case.profile,
                recorder=recorder,
                folder=folder,
                mutant=case.mutant,
            )
        yield World(
            profile=case.profile,
            profiled=case.profiled,
            tolerances=target.tolerances,
            load=target.load,
            retry_ms=target.retry_ms,
            network=LiveNetwork(toxiproxy, lambda: server.address, folder=folder),
            server=server,
            abilities=target.abilities,
            recorder=recorder,
            rng=random.Random(f"{case.seed} {case.scenario}"),
            probes_lag=True,
            salt=case.salt if target.start or target.app else secrets.token_hex(4),
        )

    async def aclose(self) -> None:
        """End toxiproxy."""
        if self._toxiproxy is not None:
            await self._toxiproxy.stop()
            self._toxiproxy = None

    async def _running_toxiproxy(self) -> ToxiproxyServer:
        if self._toxiproxy is not None and not self._toxiproxy.alive:
            await self.aclose()
        if self._toxiproxy is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._toxiproxy = await ToxiproxyServer.start(self._binary, self._folder)
        return self._toxiproxy


def _uvicorn(app: App | None, mutant: str) -> Start | None:
    """The command that runs an application which has no command of its own."""
    if app is None:
        return None
    command = ["{python}", "-m", "uvicorn", app.app, "--log-level", "warning"]
    command += ["--host", "{host}", "--port", "{port}"]
    if app.factory:
        command += ["--factory"]
    if app.folder:
        command += ["--app-dir", app.folder]
    if app.graceful_s is not None:
        command += ["--timeout-graceful-shutdown", str(app.graceful_s)]
    return Start(
        command=tuple(command),
        env=app.env | (app.mutant if mutant else {}),
        ready_within_s=app.ready_within_s,
        stop_within_s=app.stop_within_s,
    )
