"""The sim arm: one case at a time, in this thread, in virtual time."""

import asyncio
import contextlib
import gc
import importlib.metadata
import logging
import random
import sys
from collections.abc import AsyncIterator, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from harness.case import Case
from harness.core.errors import CouldNotRun
from harness.core.recorder import Recorder
from harness.sim.log import Log
from harness.sim.loop import SimLoop
from harness.sim.network import SimNetwork
from harness.sim.process import simulated, wall_clock
from harness.sim.server import SimServer
from harness.world import NotApplicable, World

T = TypeVar("T")


class SimArm:
    """Makes worlds on the loop that `run` has made."""

    name = "sim"
    versions: ClassVar = {"uvicorn": importlib.metadata.version("uvicorn")}

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end in virtual time, and leave nothing behind."""
        _skip_missing("sniffio")
        with wall_clock() as shift, _garbage_kept():
            loop = SimLoop(on_time=shift)  # type: ignore[abstract]  # see its end
            try:
                result: T = loop.run_until_complete(main)
            finally:
                loop.close()
        return result

    @contextlib.asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Trouble of the simulation ends the block with `CouldNotRun`."""
        loop = _loop()
        loop.supervised = task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if not loop.trouble or task is None:
                raise
            task.uncancel()
            raise CouldNotRun(loop.trouble) from None
        finally:
            loop.supervised = None

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
        server = SimServer(
            loop=loop,
            network=network,
            target=case.target,
            app=app,
            limits=case.profiled.limits,
            recorder=recorder,
            log=log,
            mutant=case.mutant,
            seed=seed,
        )
        with simulated(loop, log.write), _logging_to(log):
            try:
                yield World(
                    profiled=case.profiled,
                    tolerances=case.target.tolerances,
                    retry_ms=case.target.retry_ms,
                    network=network,
                    server=server,
                    abilities=case.target.abilities,
                    recorder=recorder,
                    rng=random.Random(seed),
                    probes_lag=False,
                )
            finally:
                server.bury()

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


def _skip_missing(module: str) -> None:
    """httpcore tries to import it at every lock, and searches every path in vain."""
    if module not in sys.modules and find_spec(module) is None:
        sys.modules[module] = None  # type: ignore[assignment]  # known as missing
