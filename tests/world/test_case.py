"""Whole cases: whatever happens, a whole history is left, and says how it ended."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
import pytest

from harness.arm import How
from harness.case import Case, no_longer_than, run_case
from harness.core.codec import load
from harness.core.errors import (
    BadInput,
    CouldNotRun,
    HarnessError,
    NotApplicable,
    Unreached,
)
from harness.core.fault import Fault, cut, stall
from harness.core.history import (
    WITNESS,
    Closed,
    CloseKind,
    End,
    F,
    History,
    Info,
    Invoke,
    Life,
    LifePhase,
    Note,
    Ok,
    Opened,
    View,
)
from harness.core.recorder import Recorder
from harness.core.target import Profiled, Target
from harness.link import DirectLink
from harness.live.sockets import dial
from harness.nemesis import Nemesis
from harness.world import World
from tests.client.scripted import (
    PATHS,
    PING,
    Bench,
    DirectNetwork,
    Wire,
    answer,
    bench,
    event,
    frames,
    raw,
    snapshot,
)
from tests.core.records import LIMITS, header

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class StandingServer:
    """The scripted server's life: it stands from the beginning to the end."""

    def __init__(self, recorder: Recorder) -> None:
        self.up = True
        self.ended = True
        self._recorder = recorder

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        del other_port, empty
        self._recorder.add(Life, life=1, phase=LifePhase.READY)

    async def stop(self, how: How) -> None:
        if self.ended:
            self._recorder.add(Life, life=1, phase=LifePhase.EXITED, how=how)

    async def pause(self) -> None:
        self._recorder.add(Life, life=1, phase=LifePhase.PAUSED)

    async def resume(self) -> None:
        self._recorder.add(Life, life=1, phase=LifePhase.RESUMED)

    async def aclose(self) -> None:
        return None


T = TypeVar("T")
CASE_S = 3.0


class ScriptedArm:
    """Worlds around a scripted server: real clients, real sockets, no faults."""

    name = "scripted"
    versions: ClassVar[dict[str, str]] = {}

    def __init__(self, on: Bench) -> None:
        self.on = on
        self.world_made: World | None = None

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(main)

    def bounded(self, _: Case) -> AbstractAsyncContextManager[None]:
        return no_longer_than(CASE_S)

    @asynccontextmanager
    async def world(
        self, case: Case, recorder: Recorder, folder: Path
    ) -> AsyncIterator[World]:
        del folder
        self.world_made = World(
            profile=case.profile,
            profiled=case.profiled,
            abilities=frozenset(),
            tolerances=case.target.tolerances,
            retry_ms=case.target.retry_ms,
            network=DirectNetwork(lambda: self.on.server.address),
            server=StandingServer(recorder),
            recorder=recorder,
            rng=random.Random(case.seed),
            probes_lag=True,
            salt=case.salt,
        )
        yield self.world_made

    async def aclose(self) -> None:
        return None


def target() -> Target:
    profiled = Profiled(paths=PATHS, limits=LIMITS)
    return Target(
        name="scripted", url="http://127.0.0.1", profiles={"broadcast": profiled}
    )


CASE = Case(
    scenario="test_x.py::test_y",
    title="A title.",
    requirements=("converge",),
    target=target(),
    profile="broadcast",
    arm="scripted",
    seed=3,
)

Scenario = Callable[[World], Awaitable[None]]


async def run(
    folder: Path, scenario: Scenario, *streams: Any, **fields: Any
) -> History:
    path = folder / "case.jsonl"
    async with bench(folder / "bench", *streams, **fields) as on:
        await run_case(CASE, scenario, arm=ScriptedArm(on), path=path, folder=folder)
    assert len(asyncio.all_tasks()) <= 2  # nothing of the case runs on
    return load(path)


def end_of(history: History) -> End:
    end = history.records[-1]
    assert isinstance(end, End)
    assert not history.torn
    return end


async def test_a_case_leaves_a_whole_history(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.client("alice")
        assert alice.live
        with pytest.raises(ValueError, match="two clients named 'alice'"):
            await world.client("alice")

    history = await run(tmp_path, scenario, init=[snapshot(1, 2)])
    assert end_of(history).complete
    head = history.header
    assert (head.scenario, head.title, head.seed) == (CASE.scenario, "A title.", 3)
    assert (head.target, head.profile, head.limits) == ("scripted", "broadcast", LIMITS)
    assert {"python", "httpx", "httpcore", "httpx-sse"} <= set(head.versions)
    views = [record for record in history.records if isinstance(record, View)]
    assert [view.who for view in views] == [WITNESS, "alice"]
    assert [[m.id for m in view.messages] for view in views] == [[1, 2]] * 2
    closed = [record for record in history.records if isinstance(record, Closed)]
    assert len(closed) == 2


async def test_what_was_not_reached_is_noted_and_the_case_goes_on(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        await world.until(lambda: False, "pigs fly", within_s=0.1)
        raise AssertionError("unreachable")

    history = await run(tmp_path, scenario)
    assert end_of(history).complete
    notes = [record.text for record in history.records if isinstance(record, Note)]
    assert notes == ["not within 0.1 s: pigs fly"]
    assert any(isinstance(record, View) for record in history.records)


@pytest.mark.parametrize("error", [HarnessError, CouldNotRun, BadInput])
async def test_harness_trouble_is_the_end(
    tmp_path: Path, error: type[HarnessError]
) -> None:
    async def scenario(world: World) -> None:
        del world
        raise error("the disk is on fire")

    history = await run(tmp_path, scenario)
    assert end_of(history).reason == "the disk is on fire"
    assert not end_of(history).complete


@pytest.mark.parametrize("error", [ZeroDivisionError, AssertionError, TimeoutError])
async def test_a_broken_scenario_is_the_harness_s_trouble(
    tmp_path: Path, error: type[Exception]
) -> None:
    async def scenario(world: World) -> None:
        del world
        raise error("oops")

    end = end_of(await run(tmp_path, scenario))
    assert not end.complete
    assert end.reason.startswith(f"the harness broke down: {error.__name__}: oops")
    assert "in scenario" in (tmp_path / "traceback.txt").read_text(encoding="utf-8")


async def test_a_case_broken_off_leaves_no_complete_history(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        del world
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run(tmp_path, scenario)
    end = end_of(load(tmp_path / "case.jsonl"))
    assert not end.complete
    assert end.reason.startswith("broken off: ")


async def test_not_applicable_is_raised(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.restart()

    with pytest.raises(NotApplicable):
        await run(tmp_path, scenario)
    assert not end_of(load(tmp_path / "case.jsonl")).complete


async def test_no_case_takes_for_ever(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.passes(600)

    history = await run(tmp_path, scenario)
    assert end_of(history).reason == "the case took longer than 3 s"


async def test_a_client_that_gives_up_ends_the_scenario(tmp_path: Path) -> None:
    """The next wait says so, and what the target sent is judged."""

    async def scenario(world: World) -> None:
        await world.client("alice")
        raise AssertionError("unreachable")

    init = [snapshot(1), snapshot(1, cursor="x" * 70_000)]
    history = await run(tmp_path, scenario, init=init)
    assert end_of(history).complete
    assert [r.kind for r in history.records if isinstance(r, Closed)][:1] == [
        CloseKind.GARBAGE
    ]
    assert any(isinstance(r, Note) and "alice" in r.text for r in history.records)


async def test_a_probe_is_recorded_to_the_end(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.probe(header="a", query="b")
        await world.probe(query="")

    stream = frames(PING)
    probed = frames(PING, event("reset", 1), then="end")
    history = await run(tmp_path, scenario, stream, probed)
    opened = [r for r in history.records if getattr(r, "who", "").startswith("probe")]
    assert [getattr(one, "header", None) for one in opened] == ["a", None]
    assert [getattr(one, "query", None) for one in opened] == ["b", ""]


async def test_a_walk_reads_every_page(tmp_path: Path) -> None:
    def page(*times: int) -> bytes:
        return msgspec.json.encode(
            {"messages": [{"value": {"createdAt": time}} for time in times]}
        )

    init = [snapshot(), page(50, 60)]
    pages = iter([page(30, 40), page(10, 20), page()])

    async def history_page(wire: Wire) -> None:
        await wire.send(answer(200, next(pages)))

    async def scenario(world: World) -> None:
        await world.read_all()

    history = await run(
        tmp_path, scenario, init=init, others={PATHS.history: history_page}
    )
    asked = [
        record.request.query["loadFrom"]
        for record in history.records
        if isinstance(record, Invoke) and record.f is F.HISTORY and record.request
    ]
    assert asked == ["50", "30", "10"]


async def test_malformed_pages_end_the_walk(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for _ in range(4):
            await world.read_all()

    bad = [b"5", b'{"messages": [5]}', b'{"messages": {"a": 1}}']
    bad += [b'{"messages": [{"value": {"createdAt": 5}}]}']
    others = {PATHS.history: raw(answer(500))}
    history = await run(tmp_path, scenario, init=[snapshot(), *bad], others=others)
    assert end_of(history).complete


# ---- the nemesis ---------------------------------------------------------------------


class BitingLink(DirectLink):
    """Its faults do what the test says, in place of a proxy."""

    def __init__(self, apply: Callable[[], None], healed: list[str]) -> None:
        super().__init__(lambda timeout: dial(("127.0.0.1", 1), timeout))
        self._apply = apply
        self._healed = healed
        self.heal_error: Exception | None = None

    async def apply(self, fault: Fault) -> None:
        del fault
        self._apply()

    async def heal(self, fault: Fault) -> None:
        self._healed.append(fault.kind)
        if self.heal_error is not None:
            raise self.heal_error


class Alice:
    name = "alice"


class Stage:
    """A nemesis with one victim, alice, whose stream is open."""

    def __init__(self, folder: Path, bites: Callable[["Stage"], None]) -> None:
        self.recorder = Recorder(folder / "n.jsonl", header(), lambda: 1.0)
        self.recorder.add(Opened, conn=1, who="alice")
        self.healed: list[str] = []
        self.link = BitingLink(lambda: bites(self), self.healed)
        self.server = StandingServer(self.recorder)
        self.nemesis = Nemesis(
            recorder=self.recorder,
            links={"alice": self.link},
            server=self.server,
            until=self.until,
        )

    async def until(
        self, condition: Callable[[], bool], what: str, *, within_s: float
    ) -> None:
        del within_s
        if not condition():
            raise Unreached(what)

    def close_alice(self) -> None:
        self.recorder.add(Closed, conn=1, kind=CloseKind.FIN)

    @property
    def last(self) -> Any:
        return self.recorder.records[-1]


async def test_a_fault_that_bit_is_ok_and_healed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Stage.close_alice)
    async with stage.nemesis.during(cut(Alice())):
        assert stage.healed == []
    assert isinstance(stage.last, Ok)
    assert stage.last.effect == "alice: fin after 0 bytes of the body"
    assert stage.healed == ["cut"]
    invoke = stage.recorder.records[stage.last.call - 1]
    assert isinstance(invoke, Invoke)
    assert (invoke.who, invoke.f, invoke.fault) == ("nemesis", F.FAULT, cut(Alice()))
    stage.recorder.close()


async def test_a_fault_without_effect_is_info(tmp_path: Path) -> None:
    stage = Stage(tmp_path, lambda _: None)
    async with stage.nemesis.during(cut(Alice())):
        pass
    assert isinstance(stage.last, Info)
    assert "no effect" in stage.last.error
    assert stage.healed == ["cut"]
    stage.recorder.close()


async def test_a_fault_is_healed_whatever_happens(tmp_path: Path) -> None:
    stage = Stage(tmp_path, lambda _: None)
    stage.link.heal_error = HarnessError("the proxy is gone")
    with pytest.raises(ZeroDivisionError):
        async with stage.nemesis.during(stall(Alice())):
            raise ZeroDivisionError
    assert stage.healed == ["stall"]
    assert isinstance(stage.last, Info)

    def refuses(_: Stage) -> None:
        raise HarnessError("no toxiproxy")

    other = Stage(tmp_path / "other", refuses)
    with pytest.raises(HarnessError, match="no toxiproxy"):
        async with other.nemesis.during(stall(Alice())):
            raise AssertionError("unreachable")
    stage.recorder.close()
    other.recorder.close()


async def test_ends_and_pauses_of_the_server(tmp_path: Path) -> None:
    stage = Stage(tmp_path, lambda _: None)
    await stage.nemesis.end_life(How.KILL)
    assert isinstance(stage.last, Ok)
    async with stage.nemesis.paused():
        pass
    assert isinstance(stage.last, Ok)
    assert stage.last.effect == "frozen, then ran on"
    stage.server.ended = False
    await stage.nemesis.end_life(How.TERM)
    assert isinstance(stage.last, Info)
    stage.recorder.close()
