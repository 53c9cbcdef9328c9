"""Each mutant is told from the clean server by a probe of the requirement it breaks.

A probe returns True when the requirement holds. It stands in for the harness: here it
only has to tell one named mutant from the clean server. One table, so one long file.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from reference_server.core.event_log import Entry, Event, Kind
from tests.reference_server.driver import Driver, Stream, running
from tests.reference_server.probes import SHORT_S, Table, bites, into, settled

pytestmark = pytest.mark.anyio

PROBES = Table()
probes = into(PROBES)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def epoch(server: Driver) -> str:
    return str((await server.init())["cursor"]).rpartition("-")[0]


async def resumed(server: Driver, seq: int) -> Stream:
    return await server.open(f"{await epoch(server)}-{seq}")


async def patch(server: Driver, message_id: int, text: str = "new") -> int:
    path = f"/broadcast/messages/{message_id}"
    return (await server.call("PATCH", path, {"text": text})).status


@probes("content-type-plain", "no-stream-headers", "no-accel-header")
async def headers(server: Driver) -> bool:
    stream = await server.open()
    wanted = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    return wanted.items() <= stream.headers.items()


@probes("data-not-utf8")
async def utf8(server: Driver) -> bool:
    stream = await server.open()
    await server.post("é")
    await stream.events_within(1, 1)
    return "é".encode() in stream.raw


@probes("no-ping-on-resume", "ping-after-replay")
async def ping_first(server: Driver) -> bool:
    await server.posts(3)
    return (await resumed(server, 1)).names[:1] == ["ping"]


@probes("ping-without-interval")
async def interval(server: Driver) -> bool:
    return "interval" in (await server.open()).frames[0]["data"]


@probes("late-registration")
async def registered(server: Driver) -> bool:
    stream = await server.open()
    await server.post()
    return len(await stream.events_within(1, SHORT_S)) == 1


@probes("no-keepalive", "slow-keepalive")
async def keepalive(server: Driver) -> bool:
    return len((await settled(await server.open(), 0.1)).frames) > 1


@probes("keepalive-until-first-event", "keepalive-gives-up")
async def keepalive_lasts(server: Driver) -> bool:
    """Five keep-alives after an event, while the connection is pinged."""
    stream = await server.open()
    await server.post()
    for _ in range(20):
        await settled(stream)
        await server.ping(stream.connection_id)
        if len(stream.frames) >= 7:
            return True
    return False


@probes("accel-header-needs-http-1.1")
async def old_http(server: Driver) -> bool:
    app = server.app

    async def speaking_1_0(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"http_version": "1.0"}, receive, send)

    server.app = speaking_1_0  # type: ignore[assignment]
    return (await server.open()).headers.get("x-accel-buffering") == "no"


@probes("constant-connection-id", "reused-connection-id")
async def unique(server: Driver) -> bool:
    one, two = await server.open(), await server.open()
    ids = {one.connection_id, two.connection_id}
    await one.close()
    ids.add((await server.open()).connection_id)
    return len(ids) == 3


@probes("silent-kept", "dropped-still-listed")
async def dropped(server: Driver) -> bool:
    stream = await settled(await server.open(), 0.4)
    return stream.ended and await server.ping(stream.connection_id) == 404


@probes("pings-ignored")
async def kept(server: Driver) -> bool:
    stream = await server.open()
    for _ in range(8):
        await server.ping(stream.connection_id)
        await asyncio.sleep(0.05)
    return not stream.ended


@probes("unknown-ping-accepted", "closed-ping-accepted")
async def refused(server: Driver) -> bool:
    stream = await server.open()
    await stream.close()
    closed = await server.ping(stream.connection_id)
    return [closed, await server.ping("nobody")] == [404, 404]


@probes("update-without-id")
async def has_id(server: Driver) -> bool:
    stream = await server.open()
    await server.post()
    await patch(server, 1)
    return all(event["cursor"] for event in await stream.events_within(2, 1))


@probes("resumed-ping-has-head")
async def control_id(server: Driver) -> bool:
    await server.posts(3)
    return "id" not in (await resumed(server, 1)).frames[0]


@probes("neighbours-swapped", "eleventh-skipped", "ninth-twice")
async def live_sequence(server: Driver) -> bool:
    streams = [await server.open(), await server.open()]
    await server.posts(12)
    return all([(await settled(each)).seqs == list(range(1, 13)) for each in streams])


@probes("replay-from-cursor", "replay-skips-first", "replay-truncated")
async def replayed(server: Driver) -> bool:
    await server.posts(14)
    stream = await settled(await resumed(server, 3))
    return stream.seqs == list(range(4, 15))


@probes("cursor-as-text")
async def digits(server: Driver) -> bool:
    await server.posts(12)
    return (await settled(await resumed(server, 8))).seqs == [9, 10, 11, 12]


@probes("phantom-update", "phantom-create")
async def phantom(server: Driver) -> bool:
    await server.posts(6)
    stream = await server.open()
    await patch(server, 1)
    await server.call("POST", "/broadcast/messages", {"text": 5})
    return not await stream.events_within(1, SHORT_S)


@probes("replay-shows-later-text", "replay-without-nonce", "replay-mangles-text")
async def payload(server: Driver) -> bool:
    live = await server.open()
    await server.post("é", nonce="n")
    await patch(server, 1)
    again = await settled(await resumed(server, 0))
    return again.events == await live.events_within(2, 1)


@probes("logged-late")
async def logged(server: Driver) -> bool:
    live = await server.open()
    await server.post()
    cursor = (await live.events_within(1, 1))[0]["cursor"]
    return (await settled(await server.open(cursor))).names == ["ping"]


@probes("delete-lingers")
async def deleted(server: Driver) -> bool:
    await server.post()
    await server.call("DELETE", "/broadcast/messages/1")
    return not (await server.init())["messages"]


@probes("events-stripped")
async def whole_text(server: Driver) -> bool:
    stream = await server.open()
    posted = await server.post("text \n")
    return bool((await stream.events_within(1, 1))[0]["value"] == posted["value"])


@probes("reset-at-head", "last-replayed-at-head")
async def at_head(server: Driver) -> bool:
    await server.posts(3)
    return (await settled(await resumed(server, 3))).names == ["ping"]


@probes("reset-when-own-event-gone")
async def own_event_gone(server: Driver) -> bool:
    await server.posts(20)
    return len((await settled(await resumed(server, 8))).seqs) == 12


@probes("lost-during-replay", "twice-during-replay")
async def join(server: Driver) -> bool:
    await server.posts(12)
    stream = await resumed(server, 0)
    await server.posts(1)
    return (await settled(stream, 0.25)).seqs == list(range(1, 14))


@probes("query-wins")
async def header_wins(server: Driver) -> bool:
    await server.posts(5)
    prefix = await epoch(server)
    stream = await server.open(f"{prefix}-4", query=f"{prefix}-2")
    return (await settled(stream)).seqs == [5]


@probes("reset-while-older-open", "third-resume-reset")
async def no_reset(server: Driver) -> bool:
    await server.posts(5)
    streams = [await resumed(server, 3) for _ in range(4)]
    return all(["reset" not in (await settled(each)).names for each in streams])


@probes("evicted-resumes", "evicted-off-by-one")
async def evicted(server: Driver) -> bool:
    await server.posts(20)
    return (await settled(await resumed(server, 7))).names == ["ping", "reset"]


@probes("foreign-goes-live", "foreign-replays-log")
async def foreign(server: Driver) -> bool:
    await server.posts(3)
    return (await settled(await server.open("other-2"))).names == ["ping", "reset"]


@probes("constant-epoch")
async def new_epoch(server: Driver) -> bool:
    return await epoch(server) != "chat"


@probes("malformed-goes-live", "malformed-crashes", "oversized-closes")
async def unknown(server: Driver) -> bool:
    await server.posts(2)
    for cursor in ("nonsense", "e" * 100 + "-1"):
        if (await settled(await server.open(cursor))).names != ["ping", "reset"]:
            return False
    return True


@probes("future-goes-live")
async def future(server: Driver) -> bool:
    return (await settled(await resumed(server, 7))).names == ["ping", "reset"]


@probes("event-before-reset", "event-after-reset", "reset-stays-live")
async def reset_alone(server: Driver) -> bool:
    await server.posts(2)
    stream = await settled(await server.open("nonsense"))
    return stream.ended and stream.names == ["ping", "reset"]


@probes("reset-twice")
async def reset_once(server: Driver) -> bool:
    await settled(await server.open("nonsense"))
    await server.open()
    return (await settled(await resumed(server, 0))).names == ["ping"]


@probes("fresh-reset-after-eviction")
async def fresh(server: Driver) -> bool:
    await server.posts(20)
    return (await settled(await server.open())).names == ["ping"]


@probes("init-newest-first", "init-one-too-many", "init-wrong-limit", "window-grows")
async def window(server: Driver) -> bool:
    await server.posts(9)
    snapshot = await server.init()
    ids = [each["id"] for each in snapshot["messages"]]
    return ids == [5, 6, 7, 8, 9] and snapshot["limit"] == 5


@probes("two-evicted")
async def one_evicted(server: Driver) -> bool:
    await server.posts(6)
    return len((await server.init())["messages"]) == 5


@probes("init-ignores-updates")
async def updated(server: Driver) -> bool:
    await server.post()
    await patch(server, 1)
    return bool((await server.init())["messages"][0]["value"]["text"] == "new")


@probes("oldest-always", "oldest-missing-at-limit", "oldest-of-second")
async def oldest(server: Driver) -> bool:
    await server.posts(4)
    below = await server.init()
    await server.posts(1)
    at = await server.init()
    first = at["messages"][0]["value"]["createdAt"]
    return "oldest" not in below and at.get("oldest") == first


@probes("init-cursor-too-new")
async def gapless(server: Driver) -> bool:
    pending = asyncio.create_task(server.init())
    await asyncio.sleep(0.01)
    await server.post()
    snapshot = await pending
    return len(snapshot["messages"]) == int(snapshot["cursor"].rpartition("-")[2])


@probes(
    *("history-leaks-rows", "history-coarse-times", "history-newest-first"),
    *("history-skips-edge", "history-with-ids", "updates-in-memory"),
)
async def history(server: Driver) -> bool:
    posted = [await server.post(f"t{n}") for n in range(4)]
    await patch(server, 2)
    posted[1] = (await server.init())["messages"][1]
    load_from = posted[-1]["value"]["createdAt"]
    answer = await server.call("GET", f"/broadcast/history?loadFrom={load_from}")
    expected: Any = [{"value": each["value"]} for each in posted[:-1]]
    return bool(answer.json["messages"] == expected)


@probes("deletes-in-memory", "late-commit")
async def stored(server: Driver) -> bool:
    await server.posts(2)
    await server.call("DELETE", "/broadcast/messages/1")
    await server.post()
    answer = await server.call("GET", "/broadcast/history?loadFrom=9999999999999999")
    return len(answer.json["messages"]) == 2


@probes("evicted-patched", "unknown-delete-ok")
async def interactive(server: Driver) -> bool:
    await server.posts(6)
    answer = await server.call("DELETE", "/broadcast/messages/1")
    return [await patch(server, 1), answer.status] == [404, 404]


@probes(
    *("bad-json-crashes", "text-coerced", "oversize-accepted"),
    *("long-text-truncated", "errors-without-body"),
)
async def bad_input(server: Driver) -> bool:
    bodies: list[Any] = [
        *(b"{", {"author": "a", "text": 5}, {"author": "a", "text": "x" * 70_000}),
        {"author": "a", "text": "x" * 10_001},
    ]
    for body in bodies:
        answer = await server.call("POST", "/broadcast/messages", body)
        if not 400 <= answer.status < 500 or b"error" not in answer.body:
            return False
    return True


@probes("broadcast-before-commit", "init-reads-database")
async def without_database(server: Driver) -> bool:
    server.running.database.close()
    server.running.database.engine = Away()  # type: ignore[assignment]  # a fake
    stream = await server.open()
    body = {"author": "a", "text": "t"}
    posted = await server.call("POST", "/broadcast/messages", body)
    snapshot = await server.call("GET", "/broadcast/init")
    quiet = not await stream.events_within(1, SHORT_S)
    return quiet and [posted.status, snapshot.status] == [503, 200]


class Away:
    """An engine whose database is gone."""

    def begin(self) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("BEGIN", {}, Exception("away"))

    def dispose(self) -> None:
        pass


@probes("backlog-dropped", "unbounded-queue")
async def backlog(server: Driver) -> bool:
    """Ended by the time that 40 frames wait and 30 may."""
    service = server.service("broadcast")
    connection = service.open_stream(None).connection
    for number in range(1, 41):
        connection.offer(Entry(number, Event(Kind.CREATE, {}), b""))
    return bool(connection.ended)


@probes("retry-barely-spread")
async def widely_spread(server: Driver) -> bool:
    frames = [(await server.open()).frames[0] for _ in range(20)]
    given = [int(frame["retry"]) for frame in frames]
    return max(given) - min(given) > 2


@probes("fan-out-waits")
async def fan_out(server: Driver) -> bool:
    """Nobody who publishes waits for a queue."""
    service = server.service("broadcast")
    connection = service.open_stream(None).connection
    for number in range(1, 10):
        connection.offer(Entry(number, Event(Kind.CREATE, {}), b""))
    began_s = time.monotonic()
    service.channel.publish(Entry(10, Event(Kind.CREATE, {}), b""))
    return time.monotonic() - began_s < 0.15


@probes("fixed-retry")
async def spread(server: Driver) -> bool:
    frames = [(await server.open()).frames[0] for _ in range(8)]
    return len({frame["retry"] for frame in frames}) > 1


@pytest.mark.parametrize("name", PROBES)
async def test_mutant_bites(tmp_path: Path, name: str) -> None:
    assert await bites(tmp_path, name, PROBES[name])


RESTARTED = ("fresh-reset-after-restart", "window-ids-are-rows")


async def test_fresh_stream_after_a_restart(tmp_path: Path) -> None:
    """RESTARTED need a second life."""
    async with running(tmp_path) as server:
        await server.posts(7)
    async with running(tmp_path, mutant="fresh-reset-after-restart") as server:
        assert (await server.open()).names == ["ping", "reset"]
    async with running(tmp_path, mutant="window-ids-are-rows") as server:
        assert (await server.init())["messages"][0]["id"] == 3
    async with running(tmp_path, mutant="constant-epoch") as server:
        await server.posts(2)
    async with running(tmp_path, mutant="constant-epoch") as server:
        await server.posts(3)
        assert (await settled(await server.open("chat-2"))).seqs == [3]
