"""Runs one scenario in one world and leaves a complete history behind."""

import asyncio
import datetime
import importlib.metadata
import platform
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from harness.core.errors import (
    CouldNotRun,
    HarnessError,
    NotApplicable,
    Unreached,
)
from harness.core.history import FORMAT, VERSION, End, Header, Note
from harness.core.recorder import Recorder
from harness.core.target import Profiled, Target
from harness.world import World

T = TypeVar("T")

Scenario = Callable[[World], Awaitable[None]]

CASE_S, NIGHTLY_CASE_S = 90.0, 900.0
"""No case takes longer in real time, and none of those that run when asked to."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is run: a scenario's name and marks, against one profile of a target."""

    scenario: str
    title: str
    requirements: tuple[str, ...]
    target: Target
    profile: str
    arm: str
    seed: int
    mutant: str = ""
    within_s: float = CASE_S

    @property
    def profiled(self) -> Profiled:
        """Paths and limits of the profile under test."""
        return self.target.profiles[self.profile]

    @property
    def salt(self) -> str:
        """What sets the users of this case apart from those of other cases."""
        return f"{zlib.crc32(f'{self.seed} {self.scenario}'.encode()):08x}"


class Arm(Protocol):
    """Makes worlds of one kind."""

    @property
    def name(self) -> str: ...

    @property
    def versions(self) -> dict[str, str]:
        """What it runs on, beside Python and the clients."""

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` on a loop of this arm, to its end."""

    def bounded(self, case: Case) -> AbstractAsyncContextManager[None]:
        """Bound the block that a case is; raises `CouldNotRun` past the bound."""

    def world(
        self, case: Case, recorder: Recorder, folder: Path
    ) -> AbstractAsyncContextManager[World]:
        """A world for one case; raises `NotApplicable` when it cannot exist here."""

    async def aclose(self) -> None:
        """Give everything back."""


@asynccontextmanager
async def no_longer_than(seconds: float) -> AsyncIterator[None]:
    """Bound a block; raises `CouldNotRun` past the bound."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        late = f"the case took longer than {seconds:g} s"
        raise CouldNotRun(late) from error


async def run_case(
    case: Case, scenario: Scenario, *, arm: Arm, path: Path, folder: Path
) -> None:
    """Run a case; its history is at `path` afterwards, whatever happened.

    What the target does wrong is in the history. Raises `NotApplicable` when the case
    cannot exist here; trouble of the harness ends up in the history's `End`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    recorder = Recorder(path, _header(case, arm), lambda: loop.time() - began)
    reason = ""
    try:
        async with arm.bounded(case), arm.world(case, recorder, folder) as world:
            await _in_world(world, scenario, recorder)
        _stop_if_interrupted()
    except HarnessError as error:
        reason = str(error)
    except NotApplicable:
        reason = "not applicable"
        raise
    except Exception as error:
        reason = _broke_down(error, folder)
    except BaseException as error:
        reason = f"broken off: {error!r}"
        raise
    finally:
        recorder.add(End, complete=not reason, reason=reason)
        recorder.close()


def _stop_if_interrupted() -> None:
    """Obey a Ctrl-C that got lost: asyncio.wait_for may swallow it (Python 3.11)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _broke_down(error: Exception, folder: Path) -> str:
    """One line for the reader, the traceback in a file for who mends the harness."""
    file = folder / "traceback.txt"
    with suppress(OSError):
        file.write_text("".join(traceback.format_exception(error)), errors="replace")
    said = f"{type(error).__name__}: {str(error)[:300]}"
    return f"the harness broke down: {said} (traceback: {file})"


async def _in_world(world: World, scenario: Scenario, recorder: Recorder) -> None:
    try:
        try:
            await world.start()
            await scenario(world)
        except Unreached as error:
            recorder.add(Note, text=str(error))
        await _settle(world, recorder)
    finally:
        await world.aclose()


async def _settle(world: World, recorder: Recorder) -> None:
    try:
        await world.settle()
    except Unreached as error:
        recorder.add(Note, text=str(error))


def _header(case: Case, arm: Arm) -> Header:
    return Header(
        format=FORMAT,
        version=VERSION,
        scenario=case.scenario,
        title=case.title,
        requirements=case.requirements,
        arm=case.arm,
        seed=case.seed,
        target=case.target.name,
        profile=case.profile,
        limits=case.profiled.limits,
        tolerances=case.target.tolerances,
        load=case.target.load,
        retry_ms=case.target.retry_ms,
        mutant=case.mutant,
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        versions={**versions(), **arm.versions},
    )


@cache
def versions() -> Mapping[str, str]:
    """What the verdict was reached with."""
    names = ("unbroken", "httpx", "httpcore", "httpx-sse")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found}
