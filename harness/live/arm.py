"""The live arm: real time, real processes, real sockets through toxiproxy."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from harness.arm import Storage
from harness.case import Case, no_longer_than
from harness.core.recorder import Recorder
from harness.core.target import App, Start, Target
from harness.live.fork_server import PRELOAD_LOG, ForkServer
from harness.live.network import LiveNetwork
from harness.live.postgres_server import PostgresServer
from harness.live.postgres_storage import PostgresStorage
from harness.live.server import LiveServer, RunningServer
from harness.live.sqlite_storage import SqliteStorage
from harness.live.toxiproxy_binary import VERSION
from harness.live.toxiproxy_server import ToxiproxyServer
from harness.world import World

T = TypeVar("T")


class LiveArm:
    """Makes worlds; keeps one toxiproxy for all, and a fresh one when it died.

    So it does with PostgreSQL, for targets that ask for one.
    """

    name = "live"
    versions: ClassVar = {"toxiproxy": VERSION}

    def __init__(self, *, binary: Path, folder: Path, forks: str = "") -> None:
        """`forks` is where a `Preloaded` of the targets' libraries listens, if any."""
        self._binary = binary
        self._folder = folder
        self._shared = forks
        self._toxiproxy: ToxiproxyServer | None = None
        self._postgres: PostgresServer | None = None
        self._forks: dict[tuple[str, ...], ForkServer] = {}

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` on an ordinary loop."""
        return asyncio.run(main)

    def bounded(self, case: Case) -> AbstractAsyncContextManager[None]:
        """No case may take longer, whatever a target or a scenario does."""
        return no_longer_than(case.within_s)

    @asynccontextmanager
    async def world(
        self, case: Case, recorder: Recorder, folder: Path
    ) -> AsyncIterator[World]:
        """A world for one case; its scratch files go to `folder`."""
        toxiproxy = await self._running_toxiproxy()
        target = case.target
        async with self._postgres_of(target, toxiproxy) as postgres:
            server: LiveServer | RunningServer
            storage: Storage | None = postgres
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
                    provide=postgres.provide if postgres else None,
                    forks=await self._forks_with(start.preload),
                )
                storage = postgres or _sqlite_of(target, server)
            yield World(
                profile=case.profile,
                profiled=case.profiled,
                tolerances=target.tolerances,
                load=target.load,
                retry_ms=target.retry_ms,
                network=LiveNetwork(toxiproxy, lambda: server.address, folder=folder),
                server=server,
                storage=storage,
                abilities=target.abilities,
                recorder=recorder,
                rng=random.Random(f"{case.seed} {case.scenario}"),
                probes_lag=True,
                salt=case.salt if target.start or target.app else secrets.token_hex(4),
            )

    async def aclose(self) -> None:
        """End what was started for all cases."""
        try:
            if self._postgres is not None:
                await self._postgres.stop()
        finally:
            self._postgres = None
            for modules in list(self._forks):
                await self._forks.pop(modules).stop()
            await self._end_toxiproxy()

    async def _end_toxiproxy(self) -> None:
        if self._toxiproxy is not None:
            await self._toxiproxy.stop()
            self._toxiproxy = None

    async def _running_toxiproxy(self) -> ToxiproxyServer:
        if self._toxiproxy is not None and not self._toxiproxy.alive:
            await self._end_toxiproxy()
        if self._toxiproxy is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._toxiproxy = await ToxiproxyServer.start(self._binary, self._folder)
        return self._toxiproxy

    async def _forks_with(self, modules: tuple[str, ...]) -> ForkServer | None:
        """What forks with these libraries; None where none are named."""
        if not modules:
            return None
        forks = self._forks.get(modules)
        if forks is not None and not forks.alive:
            await self._forks.pop(modules).stop()
            forks = None
        if forks is None:
            forks = self._forks[modules] = await self._new_forks(modules)
        return forks

    async def _new_forks(self, modules: tuple[str, ...]) -> ForkServer:
        """The one of all workers; one of our own where there is none, or no more."""
        shared, self._shared = self._shared, ""
        if shared:
            with suppress(OSError):
                return await ForkServer.join(shared)
        return await ForkServer.start(modules, self._folder / PRELOAD_LOG)

    @asynccontextmanager
    async def _postgres_of(
        self, target: Target, toxiproxy: ToxiproxyServer
    ) -> AsyncIterator[PostgresStorage | None]:
        """A database for a case of a target that asks for one; gone after it."""
        name = target.storage.postgres if target.storage is not None else ""
        if not name:
            yield None
            return
        storage = PostgresStorage(await self._running_postgres(), toxiproxy, name)
        try:
            yield storage
        finally:
            await storage.aclose()

    async def _running_postgres(self) -> PostgresServer:
        if self._postgres is not None and not self._postgres.alive:
            await self._postgres.stop()
            self._postgres = None
        if self._postgres is None:
            log = self._folder / "postgres.log"
            self._postgres = await PostgresServer.start(log)
        return self._postgres


def _sqlite_of(target: Target, server: LiveServer) -> Storage | None:
    """Faults for the file that the target declares."""
    file = target.storage.sqlite if target.storage is not None else ""
    if not file:
        return None
    return SqliteStorage(
        lambda: Path(file.format(data=server.data)), lambda: server.pid
    )


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
