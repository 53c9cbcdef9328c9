"""The sim arm: one case at a time, in this thread, in virtual time."""

import asyncio
import contextlib
import gc
import importlib.metadata
import logging
import random
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from harness.case import Case
from harness.core.errors import CouldNotRun, NotApplicable
from harness.core.recorder import Recorder
from harness.sim.clock import wall_clock
from harness.sim.disk import Disk
from harness.sim.log import Log
from harness.sim.loop import SimLoop
from harness.sim.modules import Modules
from harness.sim.network import SimNetwork
from harness.sim.process import simulated
from harness.sim.server import SimServer
from harness.sim.sqlite import lying_on
from harness.sim.storage import SimStorage
from harness.sim.stuck import STUCK_S, watched
from harness.sim.surroundings import Surroundings
from harness.world import World

T = TypeVar("T")


class SimArm:
    """Makes worlds on the loop that `run` has made.

    A target that keeps control for `stuck_s` seconds of real time is interrupted.
    """

    name = "sim"
    versions: ClassVar = {"uvicorn": importlib.metadata.version("uvicorn")}

    def __init__(self, *, stuck_s: float = STUCK_S) -> None:
        self._stuck_s = stuck_s
        self._undo = contextlib.ExitStack()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end in virtual time, and leave nothing behind."""
        with wall_clock() as shift, _garbage_kept():
            loop = SimLoop(on_time=shift)  # type: ignore[abstract]  # see its end
            try:
                with self._undo, watched(loop, after_s=self._stuck_s):
                    result: T = loop.run_until_complete(main)
            finally:
                loop.close()
        return result

    @contextlib.asynccontextmanager
    async def bounded(self, _: Case) -> AsyncIterator[None]:
        """Trouble of the simulation ends the block with `CouldNotRun`.

        Whatever else came of it, be it an error or a good end, says nothing. Bounds
        are the loop's own: virtual time, and steps in an instant.
        """
        loop = _loop()
        loop.supervised = task = asyncio.current_task()
        try:
            yield
        except (Exception, asyncio.CancelledError):
            if not loop.trouble:
                raise
        finally:
            loop.supervised = None
        if loop.trouble:
            while task is not None and task.cancelling():
                task.uncancel()
            raise CouldNotRun(loop.trouble)

    @contextlib.asynccontextmanager
    async def world(
        self, case: Case, recorder: Recorder, folder: Path
    ) -> AsyncIterator[World]:
        """A world for one case; what the target prints goes to `folder`."""
        app = case.target.app
        if app is None:
            raise NotApplicable(
                f"target {case.target.name!r} has no [app] that the sim arm could host"
            )
        loop = _loop()
        seed = f"{case.seed} {case.scenario}"
        log = Log(folder / "target.log")
        loop.rng.seed(f"{seed} calls")
        loop.on_error = log.on_error
        network = SimNetwork(loop, random.Random(f"{seed} network"))
        # Undone by `run` if need be: a loop that breaks down ends no block.
        with contextlib.ExitStack() as undo:
            self._undo.push(undo)
            undo.enter_context(_logging_to(log))  # a life finds it there
            surroundings, modules = Surroundings(), Modules(app)
            undo.enter_context(surroundings.kept())
            undo.enter_context(modules.kept())
            undo.enter_context(simulated(loop.interrupt))
            server = SimServer(
                loop=loop,
                network=network,
                target=case.target,
                app=app,
                profile=case.profile,
                recorder=recorder,
                log=log,
                mutant=case.mutant,
                seed=seed,
                modules=modules,
                surroundings=surroundings,
            )
            undo.callback(server.bury)
            storage = None
            if case.target.storage is not None and case.target.storage.sqlite:
                disk, file = Disk(), case.target.storage.sqlite
                undo.enter_context(lying_on(disk))
                storage = SimStorage(disk, lambda: file.format(data=server.data))
            yield World(
                profile=case.profile,
                profiled=case.profiled,
                tolerances=case.target.tolerances,
                load=case.target.load,
                retry_ms=case.target.retry_ms,
                network=network,
                server=server,
                storage=storage,
                abilities=case.target.abilities,
                recorder=recorder,
                rng=random.Random(seed),
                probes_lag=False,
                salt=case.salt,
            )

    async def aclose(self) -> None:
        """Nothing is kept from case to case."""


def _loop() -> SimLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop


@contextlib.contextmanager
def _logging_to(log: Log) -> Any:
    root = logging.getLogger()
    root.addHandler(log)
    try:
        yield
    finally:
        root.removeHandler(log)


@contextlib.contextmanager
def _garbage_kept() -> Any:
    """Garbage is collected between cases: when, during one, no seed decides."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
