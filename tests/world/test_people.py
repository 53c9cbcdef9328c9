"""Users of a personal profile: whose tabs, whose witness, whose posts."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.case import Case, run_case
from harness.client.calls import cookie_of
from harness.core.codec import load
from harness.core.history import F, History, Invoke, Opened, View
from harness.core.limits import Limits
from harness.core.target import Profiled, Target
from harness.pace import BETWEEN_S, Pace
from harness.world import World
from tests.client.scripted import (
    PERSONAL,
    PING,
    Bench,
    Wire,
    answer,
    bench,
    event,
    frames,
    snapshot,
)
from tests.world.test_case import Scenario, ScriptedArm

pytestmark = pytest.mark.anyio

LIMITS = Limits(
    retention_ms=1_000,
    prune_every_ms=1_000,
    ping_interval_ms=1_000,
    ping_grace_ms=1_000,
    keepalive_ms=1_000,
)
PROFILED = Profiled(paths=PERSONAL, limits=LIMITS, operator_token="s3cret")
CASE = Case(
    scenario="test_x.py::test_y",
    title="",
    requirements=("converge",),
    target=Target(name="t", url="http://127.0.0.1", profiles={"private": PROFILED}),
    profile="private",
    arm="scripted",
    seed=3,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def stored(wire: Wire) -> None:
    await wire.send(answer(201, b'{"id": 7}'))


OTHERS = {"/messages": stored, "/messages/7": stored}


async def run(
    folder: Path, scenario: Scenario, *streams: Any, **fields: Any
) -> tuple[History, Bench]:
    path = folder / "case.jsonl"
    for label in ("user", "other"):
        uid = f"{CASE.salt}-{label}"
        fields.setdefault("others", {})[f"/operator/{uid}/messages"] = stored
    fields["others"] = OTHERS | fields["others"]
    async with bench(folder / "b", *streams, paths=PERSONAL, **fields) as on:
        await run_case(CASE, scenario, arm=ScriptedArm(on), path=path, folder=folder)
    return load(path), on


def uids(records: Any, kind: type[Any]) -> list[tuple[str, str]]:
    return [(r.who, r.uid.rpartition("-")[2]) for r in records if isinstance(r, kind)]


async def test_every_user_has_a_witness_before_anything_else(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.client("alice")
        await world.client("bob", uid="other")
        await world.client("carol", uid="other")

    history, on = await run(tmp_path, scenario)
    assert uids(history.records, Opened) == [
        ("witness", "user"),
        ("alice", "user"),
        ("witness of other", "other"),
        ("bob", "other"),
        ("carol", "other"),
    ]
    cookies = {one.headers["cookie"] for one in on.server.asked}
    assert cookies == {cookie_of(f"{CASE.salt}-{who}") for who in ("user", "other")}
    views = [record.who for record in history.records if isinstance(record, View)]
    assert len(views) == 5
    last = [r for r in history.records if isinstance(r, Invoke) and r.f is F.INIT][-2:]
    assert [one.who for one in last] == ["witness", "witness of other"]


async def test_support_writes_where_nobody_is_named(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice = await world.client("alice")
        await world.write()
        await world.write(uid="other")
        await world.write(by=alice)
        await world.update(7)
        await world.snapshot(uid="other")

    history, on = await run(tmp_path, scenario)
    calls = [
        (r.f, r.who, r.uid.rpartition("-")[2], r.support)
        for r in history.records
        if isinstance(r, Invoke) and r.f in (F.CREATE, F.UPDATE)
    ]
    assert calls == [
        (F.CREATE, "writer", "user", True),
        (F.CREATE, "writer", "other", True),
        (F.CREATE, "alice", "user", False),
        (F.UPDATE, "writer", "user", False),
    ]
    posted = [one for one in on.server.asked if one.method == "POST"]
    tokens = [one.headers.get("authorization", "") for one in posted]
    assert tokens == ["Bearer s3cret", "Bearer s3cret", ""]
    assert posted[2].path == "/messages"


async def test_pages_are_asked_for_by_id(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.read_all()

    pages = [snapshot(), snapshot(5, 6), snapshot(3, 4), snapshot(1), snapshot()]
    history, _ = await run(tmp_path, scenario, init=pages)
    asked = [
        record.request.query.get("before")
        for record in history.records
        if isinstance(record, Invoke) and record.f is F.HISTORY and record.request
    ]
    assert asked == ["5", "3", "1"]


async def test_asleep_a_tab_is_closed_and_comes_back_with_its_cursor(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        witness = world.witness
        await world.until(lambda: witness.cursor == "c-1", "the event")
        async with world.asleep(witness):
            assert not witness.running
        await world.live(witness)

    streams = (frames(PING, event("create", 1, "c-1")), frames(PING))
    history, _ = await run(tmp_path, scenario, *streams)
    opened = [r for r in history.records if isinstance(r, Opened)]
    assert [(one.header, one.query) for one in opened] == [(None, None), (None, "c-1")]


async def test_posts_of_one_user_take_turns() -> None:
    pace, loop = Pace(), asyncio.get_running_loop()
    came: list[tuple[str, float]] = []

    async def post(uid: str) -> None:
        async with pace.turn(uid):
            came.append((uid, loop.time()))

    await asyncio.gather(post("a"), post("a"), post("b"))
    times = {uid: [at for one, at in came if one == uid] for uid in "ab"}
    assert times["a"][1] - times["a"][0] >= BETWEEN_S
    assert times["b"][0] - times["a"][0] < BETWEEN_S / 2


async def test_what_may_count_as_a_post_is_waited_for_and_does_not_wait() -> None:
    pace, loop = Pace(), asyncio.get_running_loop()
    began = loop.time()
    pace.spent("a")
    pace.spent("a")
    async with pace.turn("a"):
        assert loop.time() - began >= BETWEEN_S


async def test_nothing_is_changed_where_nothing_can_be(tmp_path: Path) -> None:
    """A scenario that tries is mended, not judged."""
    told: list[str] = []

    async def scenario(world: World) -> None:
        world.profile = type(world.profile)("log")
        for change in (world.update, world.delete):
            with pytest.raises(ValueError, match="in profile log nothing can"):
                await change(1)
            told.append("refused")

    await run(tmp_path, scenario)
    assert told == ["refused"] * 2


def test_users_of_two_cases_never_meet() -> None:
    salts = {
        CASE.salt,
        msgspec.structs.replace(CASE, seed=4).salt,
        msgspec.structs.replace(CASE, scenario="test_x.py::test_z").salt,
    }
    assert len(salts) == 3


async def test_bad_input_that_comes_too_soon_is_sent_again(tmp_path: Path) -> None:
    statuses = iter([429, 429, 400])

    async def counting(wire: Wire) -> None:
        await wire.send(answer(next(statuses), b"{}"))

    async def scenario(world: World) -> None:
        await world.write()
        bad = next(one for one in world.bad_requests(7) if not one.support)
        await world.send_bad(bad)

    history, _ = await run(
        tmp_path, scenario, frames(PING), others={"/messages": counting}
    )
    sent = [r for r in history.records if isinstance(r, Invoke) and r.f is F.BAD_INPUT]
    assert len(sent) == 3
    assert len({one.text for one in sent}) == 1
    assert sent[1].t_s - sent[0].t_s > 1
