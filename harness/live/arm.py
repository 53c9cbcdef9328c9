"""The live arm: real time, real processes, real sockets through toxiproxy."""

import random
from pathlib import Path
from typing import ClassVar

from harness.case import Case
from harness.core.recorder import Recorder
from harness.live.network import LiveNetwork
from harness.live.server import LiveServer, RunningServer
from harness.live.toxiproxy_binary import VERSION
from harness.live.toxiproxy_server import ToxiproxyServer
from harness.world import World


class LiveArm:
    """Makes worlds; keeps one toxiproxy for all, and a fresh one when it died."""

    name = "live"
    versions: ClassVar = {"toxiproxy": VERSION}

    def __init__(self, *, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._toxiproxy: ToxiproxyServer | None = None

    async def world(self, case: Case, recorder: Recorder, folder: Path) -> World:
        """A world for one case; its scratch files go to `folder`."""
        toxiproxy = await self._running_toxiproxy()
        target = case.target
        server: LiveServer | RunningServer
        if target.start is None:
            server = RunningServer(target=target, recorder=recorder)
        else:
            server = LiveServer(
                target=target,
                limits=case.profiled.limits,
                recorder=recorder,
                folder=folder,
                mutant=case.mutant,
            )
        return World(
            profiled=case.profiled,
            tolerances=target.tolerances,
            retry_ms=target.retry_ms,
            network=LiveNetwork(toxiproxy, lambda: server.address),
            server=server,
            abilities=target.abilities,
            recorder=recorder,
            rng=random.Random(f"{case.seed} {case.scenario}"),
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
