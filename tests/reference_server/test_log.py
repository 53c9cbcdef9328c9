"""The profile `log`: the database is the event log."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.reference_server.driver import Driver, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_fresh_stream_then_live(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        empty = await ann.open()
        assert empty.frames[0]["id"] == "0"
        first = await ann.hear("héllo\x00\n", nonce="n")
        await empty.until(lambda each: len(each.events) == 1)
        assert empty.events[0]["value"] == first["value"]
        await server.user("bob", "log").hear("between")
        page = await ann.history()
        stream = await ann.open()
        assert stream.frames[0]["id"] == page["cursor"] == empty.events[0]["cursor"]
        assert stream.names == ["ping"]


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        *(("0", 5), ("2", 3), ("5", 0), ("6", 0), ("999999999999999999", 0)),
        *(("nonsense", 5), ("-1", 5), ("03", 5), ("9" * 30, 5), ("a" * 5000, 5)),
    ],
)
async def test_cursors(tmp_path: Path, cursor: str, expected: int) -> None:
    """Never a reset; what comes later always comes."""
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        made = await ann.hears(5)
        stream = await ann.open(cursor)
        assert "id" not in stream.frames[0]
        made.append(await ann.hear("later"))
        await stream.until(lambda each: len(each.events) == expected + 1)
        ids = [event["id"] for event in stream.events]
        assert ids == [each["id"] for each in made[5 - expected :]]
        await stream.close()


async def test_long_replay_comes_in_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        await ann.hears(405)
        stream = await ann.open("4")
        await stream.until(lambda each: len(each.events) == 401)
        await ann.hear("later")
        await stream.until(lambda each: len(each.events) == 402)
        assert stream.seqs == list(range(5, 407))


async def test_across_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.user("ann", "log").hears(3)
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        stream = await ann.open("2")
        await ann.hear("four")
        await stream.until(lambda each: len(each.events) == 2)
        assert stream.seqs == [3, 4]
        times = [
            each["value"]["createdAt"] for each in (await ann.history())["messages"]
        ]
        assert times == sorted(set(times))


async def test_creation_is_the_only_event(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        await ann.hear()
        assert [(await ann.edit(1)).status, (await ann.delete(1)).status] == [404, 404]


@contextmanager
def held(server: Driver, method: str) -> Iterator[threading.Event]:
    """Reads of the database have read, but answer only when the event is set."""
    store, release = server.service("log").chat.store, threading.Event()
    real = getattr(store, method)

    def late(*args: Any) -> Any:
        found = real(*args)
        assert release.wait(5)
        return found

    setattr(store, method, late)
    try:
        yield release
    finally:
        release.set()
        delattr(store, method)


@pytest.mark.parametrize(("cursor", "seqs"), [("1", [2, 3, 4]), (None, [3, 4])])
async def test_committed_after_the_read(
    tmp_path: Path, cursor: str | None, seqs: list[int]
) -> None:
    """resume/replay-live-join: what the read could not see is in the queue."""
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        await ann.hears(2)
        with held(server, "after" if cursor else "head") as release:
            opening = asyncio.create_task(ann.open(cursor))
            await in_channel(server)
            await asyncio.sleep(0.05)
            await ann.hear("three")
            release.set()
            stream = await opening
        await ann.hear("four")
        await stream.until(lambda each: each.seqs[-1:] == [4])
        assert stream.seqs == seqs


async def in_channel(server: Driver) -> None:
    """Until somebody has joined."""
    async with asyncio.timeout(5):
        while not server.service("log").channels.by_uid:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("cursor", "seqs"), [("1", [2, 3, 4]), (None, [4])])
async def test_announced_after_the_read(
    tmp_path: Path, cursor: str | None, seqs: list[int]
) -> None:
    """Committed before the read, announced after it: once."""
    async with running(tmp_path) as server:
        ann = server.user("ann", "log")
        await ann.hears(2)
        chat, release = server.service("log").chat, threading.Event()
        insert = chat.table.insert

        def late(*args: Any) -> Any:
            row = insert(*args)
            assert release.wait(5)
            return row

        chat.table.insert = late
        writing = asyncio.create_task(ann.hear("three"))
        async with asyncio.timeout(5):
            while len((await ann.history())["messages"]) < 3:
                await asyncio.sleep(0)
        stream = await ann.open(cursor)
        release.set()
        await writing
        await ann.hear("four")
        await stream.until(lambda each: each.seqs[-1:] == [4])
        assert stream.seqs == seqs
