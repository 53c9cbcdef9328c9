"""The virtual client: the rules of protocol section 6, and clients that break them."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.client.client import MAX_RETRY_MS, VirtualClient
from harness.client.stream import Attempt
from harness.core.errors import Unreached
from harness.core.history import CloseKind, F
from tests.client.scripted import (
    PATHS,
    PING,
    Wire,
    answer,
    bench,
    event,
    frames,
    raw,
    snapshot,
)
from tests.client.tabs import SNAPSHOT, STORIES, Open, Tab, shown, tab_on

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("story", STORIES)
async def test_story(tmp_path: Path, story: str) -> None:
    await STORIES[story](VirtualClient, tmp_path)


# ---- clients with a bug: each must fail a story --------------------------------------


def id_in(tail: bytes) -> str:
    lines = [line for line in tail.decode().splitlines() if line.startswith("id: ")]
    return lines[-1].removeprefix("id: ") if lines else ""


class CommitsAtTheIdLine(VirtualClient):
    async def _read(self, attempt: Attempt) -> Any:
        after = await super()._read(attempt)
        if cursor := id_in(attempt._splitter.tail):
            self.cursor = self._source_id = cursor
        return after


class KeepsPartialEvents(VirtualClient):
    async def _read(self, attempt: Attempt) -> Any:
        after = await super()._read(attempt)
        for line in attempt._splitter.tail.decode().splitlines():
            if line.startswith("data: "):
                data = msgspec.json.decode(line.removeprefix("data: "))
                self._seen.add(("create", str(data.get("id")), f"m{data.get('id')}"))
                self.view.apply("create", data)
        return after


class AppliesFramesOfOldStreams(VirtualClient):
    async def _read(self, attempt: Attempt) -> Any:
        stream = attempt.events(self._http, self._paths.events)
        async with aclosing(stream) as events:
            async for one in events:
                if one.id:
                    self.cursor = self._source_id = one.id
                if one.data and self._dispatch(one):
                    self._start_anew()
        return None


class SendsEmptyCursors(VirtualClient):
    async def _connect(self, *, header: str | None, query: str | None) -> Any:
        return await super()._connect(header=header or "", query=query)


class SendsEmptyQueries(VirtualClient):
    async def _connect(self, *, header: str | None, query: str | None) -> Any:
        return await super()._connect(header=header, query=query or "")


class ReconnectsWithoutJitter(VirtualClient):
    async def _wait_retry(self) -> None:
        await asyncio.sleep(self._retry_ms / 1_000)


class ReconnectsAtOnce(VirtualClient):
    async def _wait_retry(self) -> None:
        await asyncio.sleep(0)


class ForgetsTheQuery(VirtualClient):
    async def _connect(self, *, header: str | None, query: str | None) -> Any:
        return await super()._connect(header=header, query=None if header else query)


class KeepsTheHeaderOfADeadSource(VirtualClient):
    async def _connect(self, *, header: str | None, query: str | None) -> Any:
        return await super()._connect(header=self.cursor or header, query=query)


class ForgetsToClear(VirtualClient):
    def _start_anew(self) -> None:
        cursor = self.cursor
        super()._start_anew()
        self.cursor = cursor


class StormsAfterResets(VirtualClient):
    def _reset_without_cursor(self) -> bool:
        return False


class AppliesBeforeTheSnapshot(VirtualClient):
    def _on_event(self, event: Any) -> None:
        self._apply(event)


class TakesTheSnapshotBeforeThePing(VirtualClient):
    def _await_snapshot(self) -> None:
        super()._await_snapshot()
        self._snapshot = asyncio.create_task(self._load_snapshot())


class ClearsAtEveryError(VirtualClient):
    def _clear_once(self) -> None:
        self._cleared = False
        super()._clear_once()


class KeepsItsStateOverErrors(VirtualClient):
    def _clear_once(self) -> None:
        self._cleared = True


class ClearsOnlyOnceEver(VirtualClient):
    def _on_ping(self, event: Any) -> None:
        cleared = self._cleared
        super()._on_ping(event)
        self._cleared = cleared


class ComesBackWithACursor(VirtualClient):
    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields | {"resumes": True})


@pytest.mark.parametrize(
    ("mutant", "story"),
    [
        (CommitsAtTheIdLine, "cursors_are_committed_at_the_blank_line"),
        (KeepsPartialEvents, "partial_events_are_dropped"),
        (AppliesFramesOfOldStreams, "an_old_stream_counts_no_more"),
        (SendsEmptyCursors, "without_a_cursor_none_is_sent"),
        (SendsEmptyQueries, "without_a_cursor_none_is_sent"),
        (ReconnectsWithoutJitter, "reconnects_are_spread"),
        (ReconnectsAtOnce, "reconnects_are_spread"),
        (ForgetsTheQuery, "the_query_stays_and_the_header_grows"),
        (KeepsTheHeaderOfADeadSource, "a_dead_source_is_made_anew"),
        (ForgetsToClear, "a_reset_clears_and_starts_anew"),
        (StormsAfterResets, "a_reset_without_a_cursor_is_waited_after"),
        (AppliesBeforeTheSnapshot, "stream_first_buffers"),
        (TakesTheSnapshotBeforeThePing, "stream_first_buffers"),
        (ClearsAtEveryError, "without_cursors_each_error_clears_once"),
        (KeepsItsStateOverErrors, "without_cursors_each_error_clears_once"),
        (ClearsOnlyOnceEver, "without_cursors_each_error_clears_once"),
        (ComesBackWithACursor, "without_cursors_each_error_clears_once"),
    ],
)
async def test_a_client_with_a_bug_is_caught(
    tmp_path: Path, mutant: Tab, story: str
) -> None:
    with pytest.raises(AssertionError):
        await STORIES[story](mutant, tmp_path)


# ---- what a stream may say -----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "retry_ms"),
    [
        ("retry: 7", 7),
        ("retry: 0", 0),
        ("retry: -1", 5),
        ("retry: soon", 5),
        ("retry", 5),
        ("retry: " + "9" * 4_000, MAX_RETRY_MS),
    ],
)
async def test_retry(tmp_path: Path, line: str, retry_ms: int) -> None:
    async with (
        bench(tmp_path, frames(f"{line}\n\n", PING)) as on,
        Open(on, VirtualClient) as tab,
    ):
        await on.until(lambda: tab.live)
        assert tab._retry_ms == retry_ms


async def test_a_huge_retry_is_waited_for_without_trouble(tmp_path: Path) -> None:
    script = frames("retry: " + "9" * 400 + "\n\n", PING, then="fin")
    async with bench(tmp_path, script) as on, Open(on, VirtualClient) as tab:
        await on.until(lambda: bool(on.closed))
        await asyncio.sleep(0.02)
        assert tab.running
        assert len(on.opened) == 1


MALFORMED = [
    "{",
    "null",
    "[]",
    '"x"',
    "{}",
    '{"id": 5}',
    '{"id": null, "interval": 5}',
    '{"id": "c", "interval": "5"}',
    '{"id": "c", "interval": -5}',
    '{"id": "c", "interval": 0}',
    '{"id": "c", "interval": null}',
    '{"id": "c", "interval": 1' + "0" * 400 + "}",
    "[" * 50_000,
    '{"id": "c", "interval": 600000, "x": ' + "[" * 50_000,
    '{"id": "\\ud800", "interval": 1000}',
]


async def test_malformed_data_is_no_trouble(tmp_path: Path) -> None:
    kinds = ("ping", "create", "update", "delete", "other")
    texts = [f"event: {kind}\ndata: {data}\n\n" for data in MALFORMED for kind in kinds]
    stream = frames(PING, *texts, event("create", 2, "2"))
    async with (
        bench(tmp_path, stream, init=[snapshot(1)]) as on,
        Open(on, VirtualClient) as tab,
    ):
        await on.until(lambda: tab.live and 2 in shown(tab))
        assert next(one for one in shown(tab) if isinstance(one, int)) == 1
        assert len(on.frames) == len(texts) + 2


@pytest.mark.parametrize(
    "bad",
    [b"{", b"[]", b"null", b"[" * 50_000, b"\xff", b"5"],
    ids=range(6),
)
@pytest.mark.parametrize("start", list(type(SNAPSHOT)))
async def test_a_malformed_snapshot_is_asked_for_again(
    tmp_path: Path, bad: bytes, start: Any
) -> None:
    init = [bad, bad, snapshot(1, cursor="4")]
    async with (
        bench(tmp_path, frames(PING), init=init) as on,
        Open(on, VirtualClient, start=start) as tab,
    ):
        await on.until(lambda: tab.live and shown(tab) == [1])
        assert len(on.server.of(PATHS.init)) == 3


@pytest.mark.parametrize(
    "fields",
    [{"messages": 5}, {"messages": [5, {}, {"id": None}]}, {"cursor": 5}, {}],
)
async def test_an_odd_snapshot_shows_what_it_can(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    init = [msgspec.json.encode(fields)]
    async with (
        bench(tmp_path, frames(PING, event("create", 1, "1")), init=init) as on,
        Open(on, VirtualClient, start=SNAPSHOT) as tab,
    ):
        await on.until(lambda: tab.live and shown(tab) == [1])
        assert on.server.cursors == [(None, None)]


async def test_a_cursor_that_no_url_can_carry_is_given_up(tmp_path: Path) -> None:
    init = [snapshot(1, cursor="x" * 70_000)]
    async with bench(tmp_path, init=init) as on:
        tab = tab_on(on, start=SNAPSHOT)
        await on.until(lambda: not tab.running)
        assert tab.gave_up
        assert tab.trouble() is None
        assert on.closed[0].kind is CloseKind.GARBAGE
        await tab.close()


async def test_a_cursor_is_kept_over_frames_without_an_id(tmp_path: Path) -> None:
    """Keep-alives, pings and blocks without an id leave it as it was."""
    first = frames(PING, event("create", 1, "7"), ": hi\n\n", PING, then="fin")
    streams = (first, frames(": hi\n\n", PING, then="fin"), frames(PING))
    async with bench(tmp_path, *streams) as on, Open(on, VirtualClient) as tab:
        await on.until(lambda: len(on.server.cursors) == 3 and tab.live)
        assert on.server.cursors == [(None, None), ("7", None), ("7", None)]


# ---- pings ---------------------------------------------------------------------------


def ping(connection: str, interval_ms: int) -> str:
    return f'event: ping\ndata: {{"id":"{connection}","interval":{interval_ms}}}\n\n'


async def test_one_timer_replaced_at_every_ping_frame(tmp_path: Path) -> None:
    second = asyncio.Event()

    async def stream(wire: Wire) -> None:
        await wire.stream(ping("old", 60))
        await second.wait()
        await wire.frame(ping("new", 60))
        await wire.gone()

    async with bench(tmp_path, stream) as on, Open(on, VirtualClient) as tab:

        def pinged(connection: str) -> int:
            return sum(
                one.f is F.PING and one.about == connection for one in on.invokes
            )

        await on.until(lambda: pinged("old") >= 3)
        assert tab.connection_id == "old"
        second.set()
        await on.until(lambda: tab.connection_id == "new")
        before = pinged("old")
        await on.until(lambda: pinged("new") >= 3)
        assert pinged("old") == before
        times = [one.t_s for one in on.invokes if one.about == "new"]
        assert times[2] - times[0] >= 0.09  # never twice an interval
    settled = len(on.invokes)
    await asyncio.sleep(0.15)
    assert len(on.invokes) == settled  # a closed tab pings no more


async def test_pings_end_with_a_malformed_frame_and_stay_off_when_mute(
    tmp_path: Path,
) -> None:
    stream = frames(ping("a", 60), 'event: ping\ndata: {"id": "b"}\n\n')
    async with bench(tmp_path, stream) as on, Open(on, VirtualClient) as tab:
        await on.until(lambda: tab.connection_id == "b")
        await asyncio.sleep(0.15)
        assert on.server.of(PATHS.ping) == []
    async with (
        bench(tmp_path, frames(ping("a", 50))) as on,
        Open(on, VirtualClient, pings=False) as tab,
    ):
        await on.until(lambda: tab.live)
        await asyncio.sleep(0.15)
        assert on.server.of(PATHS.ping) == []
        assert not on.opened[0].pings


async def test_a_connection_id_may_be_a_number(tmp_path: Path) -> None:
    async with (
        bench(
            tmp_path, frames('event: ping\ndata: {"id": 17, "interval": 50}\n\n')
        ) as on,
        Open(on, VirtualClient) as tab,
    ):
        await on.until(lambda: bool(on.server.of(PATHS.ping)))
        assert on.server.of(PATHS.ping)[0].query == {"id": "17"}
        assert tab.connection_id == "17"


async def test_pings_go_on_when_they_fail(tmp_path: Path) -> None:
    others = {PATHS.ping: raw(answer(404))}
    async with (
        bench(tmp_path, frames(ping("a", 50)), others=others) as on,
        Open(on, VirtualClient) as tab,
    ):
        await on.until(lambda: len(on.server.of(PATHS.ping)) >= 2)
        assert tab.live


# ---- a tab's life --------------------------------------------------------------------


async def test_live_means_stream_and_snapshot(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def stream(wire: Wire) -> None:
        await wire.stream(event("create", 2, "2"))
        await go.wait()
        await wire.frame(PING)
        await wire.gone()

    async with bench(tmp_path, stream) as on, Open(on, VirtualClient) as tab:
        await on.until(lambda: bool(on.frames))
        await asyncio.sleep(0.02)
        assert not tab.live
        go.set()
        await on.until(lambda: tab.live)
        assert tab.knows("create", 2, "m2")
        assert not tab.knows("create", 3, "m3")
        assert tab.knows("delete", 3)
        await tab.close()
        assert not tab.live
        assert not tab.running
        assert shown(tab) == [2]


async def test_every_connection_is_closed_in_the_history(tmp_path: Path) -> None:
    async with bench(tmp_path, frames(PING, event("create", 1, "1"))) as on:
        tab = tab_on(on)
        for number in range(1, 4):
            await on.until(lambda n=number: len(on.opened) == n and tab.live)
            tab.switch()
        await on.until(lambda: len(on.opened) == 4 and tab.live)
        await tab.close()
        assert sorted(one.conn for one in on.closed) == [1, 2, 3, 4]
        assert {one.kind for one in on.closed} == {CloseKind.CLIENT}
        await on.until(lambda: on.server.wires[0].hung_up)


async def test_a_tab_that_dies_tells_its_trouble(tmp_path: Path) -> None:
    class Broken(VirtualClient):
        async def _wait_retry(self) -> None:
            raise ZeroDivisionError

    async with bench(tmp_path, frames(then="end")) as on:
        tab = tab_on(on, Broken)
        await on.until(lambda: not tab.running)
        assert isinstance(tab.trouble(), ZeroDivisionError)
        await tab.close()
        with pytest.raises(Unreached):
            await on.waiter.until(lambda: tab.live, "live", within_s=0.1)


@pytest.mark.xfail(reason="httpx-sse does not tell an empty id line from none")
async def test_an_empty_id_line_takes_the_cursor_away(tmp_path: Path) -> None:
    """WHATWG: "set the last event ID buffer to the field value", empty or not."""
    first = frames(PING, event("create", 1, "7"), "id:\ndata: x\n\n", then="fin")
    async with (
        bench(tmp_path, first, frames(PING)) as on,
        Open(on, VirtualClient) as tab,
    ):
        await on.until(lambda: len(on.server.cursors) == 2 and tab.live)
        assert on.server.cursors[1] == (None, None)
