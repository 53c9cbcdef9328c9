"""The profile in-process: writes, streams, watchdog, history."""

import asyncio
import time
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
        await server.posts(2)
        cursor = (await server.init())["cursor"]
        stream = await server.open()
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.frames[0]["id"] == cursor
        posted = await server.post("héllo 😀\n", nonce="n1")
        await server.call("PATCH", f"/broadcast/messages/{posted['id']}", {"text": "b"})
        await server.call("DELETE", f"/broadcast/messages/{posted['id']}")
        await stream.until(lambda each: len(each.events) == 3)
        create, update, delete = stream.events
        assert create["value"] == posted["value"]
        assert update["value"]["text"] == "b"
        assert update["value"]["updatedAt"] >= create["value"]["createdAt"]
        assert (delete["kind"], delete["id"]) == ("delete", 3)
        assert "value" not in delete
        assert stream.frames[-1]["id"].endswith("-5")
        await stream.close()


async def test_resume_joins_replay_and_live(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.posts(10)
        epoch = (await server.init())["cursor"].rpartition("-")[0]
        stream = await server.open(f"{epoch}-4", query=f"{epoch}-9")
        assert "id" not in stream.frames[0]
        await server.posts(3)
        await stream.until(lambda each: len(each.events) == 9)
        assert stream.seqs == list(range(5, 14))
        await stream.close()


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("{epoch}-7", "evicted"),
        ("{epoch}-99", "unknown"),
        ("{epoch}--1", "unknown"),
        ("x" * 5000, "unknown"),
        ("ÿ", "unknown"),
        ("other-8", "restarted"),
    ],
)
async def test_reset(tmp_path: Path, cursor: str, reason: str) -> None:
    async with running(tmp_path) as server:
        await server.posts(20)
        epoch = (await server.init())["cursor"].rpartition("-")[0]
        stream = await server.open(cursor.format(epoch=epoch))
        await stream.until(lambda each: each.ended)
        assert stream.names == ["ping", "reset"]
        assert f'"{reason}"' in stream.frames[1]["data"]
        assert await server.ping(stream.connection_id) == 404


async def test_watchdog(tmp_path: Path) -> None:
    """ping/silent-dropped and ping/pinged-kept."""
    async with running(tmp_path, ping_interval_ms=100, ping_grace_ms=100) as server:
        started = time.monotonic()
        silent, pinged = await server.open(), await server.open()
        ids = silent.connection_id, pinged.connection_id
        assert ids[0] != ids[1]
        while not silent.ended:
            assert await server.ping(ids[1]) == 204
            await asyncio.sleep(0.02)
        assert 0.19 < time.monotonic() - started < 0.35
        assert await server.ping(ids[0]) == 404
        assert not pinged.ended
        assert list(server.service("broadcast").channel.members) == [ids[1]]
        await pinged.close()
        assert await server.ping(ids[1]) == 404
        assert not server.service("broadcast").channel.members


async def test_keepalive_and_retry(tmp_path: Path) -> None:
    async with running(tmp_path, keepalive_ms=20, retry_ms=1000) as server:
        streams = [await server.open() for _ in range(8)]
        await streams[0].until(lambda each: len(each.frames) >= 4)
        assert [*streams[0].frames[3]] == [""]
        retries = {int(stream.frames[0]["retry"]) for stream in streams}
        assert len(retries) > 1
        assert all(1000 <= retry <= 1500 for retry in retries)


async def test_snapshot_and_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.posts(4)
        assert "oldest" not in await server.init()
        await server.posts(4)
        first = await server.init()
        assert [each["id"] for each in first["messages"]] == [4, 5, 6, 7, 8]
        assert first["oldest"] == first["messages"][0]["value"]["createdAt"]
    async with running(tmp_path) as server:
        second = await server.init()
        assert [each["id"] for each in second["messages"]] == [1, 2, 3, 4, 5]
        values = [each["value"] for each in second["messages"]]
        assert values == [each["value"] for each in first["messages"]]
        posted = await server.post("later")
        assert posted["value"]["createdAt"] > values[-1]["createdAt"]


async def test_created_at_rises_when_the_clock_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    async with running(tmp_path) as server:
        times = [(await server.post())["value"]["createdAt"] for _ in range(3)]
        assert times == [1_000_000, 1_000_001, 1_000_002]
    async with running(tmp_path) as server:
        assert (await server.post())["value"]["createdAt"] == 1_000_003


async def test_history_pages_back_to_the_first(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.posts(430)
        snapshot = await server.init()
        texts = [each["value"]["text"] for each in snapshot["messages"]]
        load_from, sizes = snapshot["oldest"], []
        while load_from:
            path = f"/broadcast/history?loadFrom={load_from}"
            page = (await server.call("GET", path)).json["messages"]
            sizes.append(len(page))
            assert all(set(each) == {"value"} for each in page)
            texts = [each["value"]["text"] for each in page] + texts
            load_from = page[0]["value"]["createdAt"] if page else None
        assert sizes == [200, 200, 25, 0]
        assert texts == [f"text {number}" for number in range(430)]


async def test_concurrent_writes_keep_one_order(tmp_path: Path) -> None:
    async with running(tmp_path, message_limit=60, event_log_limit=60) as server:
        one, two = await server.open(), await server.open()
        await asyncio.gather(*(server.post(f"t{n}") for n in range(50)))
        for stream in (one, two):
            await stream.until(lambda each: len(each.events) == 50)
        assert one.seqs == list(range(1, 51))
        assert one.events == two.events
        shown = [each["value"] for each in (await server.init())["messages"]]
        assert shown == [event["value"] for event in one.events]
        created = [value["createdAt"] for value in shown]
        assert created == sorted(set(created))


BAD_WRITES: list[tuple[str, str, Any, int]] = [
    ("POST", "messages", b"{", 400),
    ("POST", "messages", b"\xff", 400),
    ("POST", "messages", b"x" * 70_000, 413),
    ("POST", "messages", {"author": "a"}, 422),
    ("POST", "messages", {"author": "a", "text": "\ud800"}, 422),
    ("PATCH", "messages/2", {"text": ""}, 422),
    ("PATCH", "messages/1", {"text": "x"}, 404),
    ("PATCH", "messages/x", {"text": "x"}, 404),
    ("DELETE", "messages/1", None, 404),
    ("DELETE", "messages/99", None, 404),
    ("DELETE", "messages/2/3", None, 404),
    ("PUT", "messages/2", {"text": "x"}, 405),
    ("HEAD", "events", None, 405),
    ("GET", "history", None, 400),
    ("GET", "history?loadFrom=-1", None, 400),
    ("POST", "ping", None, 400),
    ("POST", "ping?id=nobody", None, 404),
    ("GET", "init/", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD_WRITES)
async def test_bad_input_changes_nothing(
    tmp_path: Path, method: str, path: str, body: Any, status: int
) -> None:
    async with running(tmp_path) as server:
        await server.posts(6)
        stream, before = await server.open(), await server.init()
        answer = await server.call(method, f"/broadcast/{path}", body)
        assert answer.status == status
        assert set(answer.json["error"]) == {"code", "message"}
        assert answer.headers["cache-control"] == "no-store"
        assert await server.init() == before
        await server.post("next")
        await stream.until(lambda each: len(each.events) == 1)
        await stream.close()


async def test_overflow_ends_the_connection(tmp_path: Path) -> None:
    async with running(tmp_path, queue_limit=3) as server:
        stream = await server.open()
        blocked = asyncio.Event()
        send = stream.send

        async def stuck(message: dict[str, Any]) -> None:
            blocked.set()
            await asyncio.Event().wait()
            await send(message)

        channel = server.service("broadcast").channel
        await stream.close()
        await _open_stuck(server, stuck)
        await server.post()
        await asyncio.wait_for(blocked.wait(), 5)
        await server.posts(3)
        assert len(channel.members) == 1
        await server.post()
        assert not channel.members


async def _open_stuck(server: Driver, send: Any) -> None:
    stream = server.service("broadcast").open_stream(None)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    started = asyncio.Event()

    async def first(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.set()
        elif b"ping" not in message["body"]:
            await send(message)

    server.stuck = asyncio.create_task(stream({}, receive, first))  # type: ignore[attr-defined]
    await started.wait()
