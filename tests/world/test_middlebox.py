"""Middleboxes of a case: on record, their faults with effects, all ended with it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import CouldNotRun, Unreached
from harness.core.fault import Close, FaultKind
from harness.core.history import Behind, Closed, CloseKind, Info, Invoke, Ok, Opened
from harness.core.nginx import Nginx
from harness.core.recorder import Recorder
from harness.link import DirectLink
from harness.middlebox import Middlebox, Middleboxes
from harness.nemesis import Nemesis
from harness.reach import Reach
from tests.client.scripted import PATHS
from tests.core.records import header

pytestmark = pytest.mark.anyio
NGINX = Nginx(read_timeout_s=3.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeBox:
    """Does what a test says when it is restarted."""

    version = "nginx/0"

    def __init__(self, bites: Callable[[], None]) -> None:
        self.dead = self.closed = False
        self._bites = bites

    def link(self, *, close: Close) -> DirectLink:
        del close
        return DirectLink(_nowhere)

    def check(self) -> None:
        if self.dead:
            raise CouldNotRun("it died")

    async def reload(self) -> None:
        self._bites()

    async def restart(self) -> None:
        self._bites()

    async def aclose(self) -> None:
        self.closed = True


async def _nowhere(timeout: float | None) -> Any:
    raise AssertionError(f"nobody dials: {timeout}")


class Stage:
    """Boxes that break alice's stream off when told to, and everything around them."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder(folder / "n.jsonl", header(), lambda: 1.0)
        self.made: list[FakeBox] = []
        self.bites = True
        nemesis = Nemesis(
            recorder=self.recorder,
            links={},
            server=None,  # type: ignore[arg-type]  # none of its faults is here
            until=self.until,
        )
        self.boxes = Middleboxes(self, nemesis=nemesis, recorder=self.recorder)  # type: ignore[arg-type]
        self.reach = Reach(self, PATHS, self.recorder)  # type: ignore[arg-type]

    async def middlebox(self, nginx: Nginx) -> FakeBox:
        assert nginx is NGINX
        self.made.append(FakeBox(self.break_off))
        return self.made[-1]

    def link(self, **_: Any) -> DirectLink:
        return DirectLink(_nowhere)

    def break_off(self) -> None:
        if self.bites:
            self.recorder.add(Closed, conn=1, kind=CloseKind.FIN)

    async def until(
        self, condition: Callable[[], bool], what: str, *, within_s: float
    ) -> None:
        del within_s
        if not condition():
            raise Unreached(what)

    async def alice(self) -> Middlebox:
        box = await self.boxes.open(NGINX)
        self.reach.way("alice", direct=False, behind=box)
        self.recorder.add(Opened, conn=1, who="alice")
        return box

    @property
    def last(self) -> Any:
        return self.recorder.records[-1]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    stage = Stage(folder)
    yield stage
    await stage.reach.aclose()
    stage.recorder.close()


async def test_who_is_behind_it_is_on_record_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as stage:
        await stage.alice()
        first = stage.recorder.records[0]
        assert isinstance(first, Behind)
        assert (first.who, first.nginx, first.version) == ("alice", NGINX, "nginx/0")
        stage.reach.way("bob")
        assert not any(r.who == "bob" for r in stage.recorder.records[1:])  # type: ignore[union-attr]


async def test_a_restart_is_a_fault_of_all_behind_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await (await stage.alice()).restart()
        assert isinstance(stage.last, Ok)
        assert "alice: fin" in stage.last.effect
        invoke = stage.recorder.records[stage.last.call - 1]
        assert isinstance(invoke, Invoke)
        assert invoke.fault is not None
        assert invoke.fault.kind is FaultKind.MIDDLEBOX_RESTART
        assert invoke.fault.whom == ("alice",)


async def test_one_that_nobody_felt_had_no_effect(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        box = await stage.alice()
        stage.bites = False
        await box.restart()
        assert isinstance(stage.last, Info)
        async with box.reloaded():
            pass
        assert isinstance(stage.last, Info)


async def test_a_dead_one_is_told_and_all_are_ended(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.alice()
        await stage.boxes.open(NGINX)
        stage.boxes.check()
        stage.made[0].dead = True
        with pytest.raises(CouldNotRun, match="it died"):
            stage.boxes.check()
        with pytest.raises(CouldNotRun, match="it died"):
            await stage.boxes.aclose()
        assert [box.closed for box in stage.made] == [True, True]
