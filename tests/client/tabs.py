"""Rules of protocol section 6, each as a story that a client must pass.

A story takes the class of the client, so that broken ones can be told to be caught.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import mock

from harness.client.client import Start, VirtualClient
from harness.core.history import CloseKind, F, Opened
from tests.client.scripted import (
    PATHS,
    PING,
    Bench,
    Wire,
    answer,
    bench,
    event,
    frames,
    refusal,
    snapshot,
)

RETRY_MS = 5
TIME_LIMITS_S = 60  # what sleeps longer limits a request, and is no wait of a tab
STREAM, SNAPSHOT = Start.STREAM_FIRST, Start.SNAPSHOT_FIRST

Tab = type[VirtualClient]
Story = Callable[[Tab, Path], Awaitable[None]]


def tab_on(on: Bench, kind: Tab = VirtualClient, **fields: Any) -> VirtualClient:
    """An open tab named alice."""
    way = on.way()
    options: dict[str, Any] = {
        "name": "alice",
        "http": way.streams,
        "calls": on.calls(),
        "paths": PATHS,
        "recorder": on.recorder,
        "rng": random.Random(1),
        "retry_ms": RETRY_MS,
        "limit": 20,
        "start": STREAM,
    }
    tab = kind(**options | fields)
    tab.open()
    return tab


def shown(tab: VirtualClient) -> list[object]:
    return [message.id for message in tab.view.messages()]


class Open:
    """A tab in a bench, closed at the end, its own trouble raised."""

    def __init__(self, on: Bench, kind: Tab, **fields: Any) -> None:
        self.tab = tab_on(on, kind, **fields)

    async def __aenter__(self) -> VirtualClient:
        return self.tab

    async def __aexit__(self, kind: object, *error: object) -> None:
        trouble = self.tab.trouble()
        await self.tab.close()
        if trouble is not None and kind is None:
            raise trouble


async def cursors_are_committed_at_the_blank_line(kind: Tab, folder: Path) -> None:
    streams = (
        frames(PING, event("create", 1, "7"), "id: 8\ndata: {}\n", then="fin"),
        frames(PING, "id: 9\n\n", "id: 10\n", then="end"),
        frames(PING),
    )
    async with bench(folder, *streams) as on, Open(on, kind) as tab:
        await on.until(lambda: len(on.server.cursors) == 3 and tab.live)
        assert on.server.cursors == [(None, None), ("7", None), ("9", None)]
        assert tab.cursor == "9"


async def partial_events_are_dropped(kind: Tab, folder: Path) -> None:
    part = event("create", 2, "8").removesuffix("\n")
    whole = event("create", 1, "7")
    streams = (frames(PING, whole, part, then="fin"), frames(PING))
    async with bench(folder, *streams) as on, Open(on, kind) as tab:
        await on.until(lambda: len(on.opened) == 2 and tab.live)
        assert shown(tab) == [1]
        assert on.closed[0].tail == part
        assert not tab.knows("create", 2, "m2")
        assert tab.knows("create", 1, "m1")


async def an_old_stream_counts_no_more(kind: Tab, folder: Path) -> None:
    """Left hanging, it is recorded, and moves neither view nor cursor."""
    late = asyncio.Event()

    async def old(wire: Wire) -> None:
        await wire.stream(PING, event("create", 1, "1"))
        await late.wait()
        await wire.frame(event("create", 2, "99"))
        await wire.frame(event("reset", 3))
        await wire.gone()

    streams = (old, frames(PING, event("create", 5, "5")))
    async with bench(folder, *streams) as on, Open(on, kind) as tab:
        await on.until(lambda: tab.live and shown(tab) == [1])
        tab.switch()
        assert not tab.live
        await on.until(lambda: tab.live and shown(tab) == [1, 5])
        late.set()
        await on.until(lambda: any("reset" in frame.text for frame in on.frames))
        await asyncio.sleep(0.02)
        assert shown(tab) == [1, 5]
        assert (tab.cursor, tab.resets) == ("5", 0)
        assert on.closed == []
        assert on.server.cursors == [(None, None), ("1", None)]
        await tab.close()
        assert [one.kind for one in on.closed] == [CloseKind.CLIENT] * 2


async def without_a_cursor_none_is_sent(kind: Tab, folder: Path) -> None:
    """Neither at first nor at reconnects; the snapshot is loaded afresh each time."""
    streams = (frames(then="fin"), frames(PING, then="fin"), frames(PING))
    init = [snapshot(1), snapshot(2)]
    async with bench(folder, *streams, init=init) as on, Open(on, kind) as tab:
        await on.until(lambda: len(on.opened) == 3 and tab.live)
        assert on.server.cursors == [(None, None)] * 3
        assert [(one.header, one.query) for one in on.opened] == [(None, None)] * 3
        assert shown(tab) == [len(on.server.of(PATHS.init))]


async def reconnects_are_spread(kind: Tab, folder: Path) -> None:
    """Between half and one and a half times the retry time, never all alike."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def spy(delay: float, result: Any = None) -> Any:
        slept.append(delay)
        return await sleep(0, result)

    async with bench(folder, frames(then="fin")) as on:
        on.server.address = ("127.0.0.1", 1)
        with mock.patch("harness.client.client.asyncio.sleep", spy):
            async with Open(on, kind, retry_ms=100):
                await on.until(lambda: len(on.of(Opened)) > 60)
    assert len(slept) >= 60
    assert all(0.05 <= delay <= 0.15 for delay in slept)
    assert min(slept) < 0.07
    assert max(slept) > 0.13
    assert {one.kind for one in on.closed[:60]} == {CloseKind.REFUSED}


async def the_query_stays_and_the_header_grows(kind: Tab, folder: Path) -> None:
    streams = (
        frames(PING, then="fin"),
        frames(PING, event("create", 2, "12"), then="end"),
        frames(PING),
    )
    init = [snapshot(1, cursor="11")]
    async with (
        bench(folder, *streams, init=init) as on,
        Open(on, kind, start=SNAPSHOT) as tab,
    ):
        await on.until(lambda: len(on.server.cursors) == 3 and tab.live)
        assert on.server.cursors == [(None, "11"), (None, "11"), ("12", "11")]
        assert len(on.server.of(PATHS.init)) == 1
        assert shown(tab) == [1, 2]


async def a_dead_source_is_made_anew(kind: Tab, folder: Path) -> None:
    """The new one's URL has the cursor, and no header is sent with it."""
    streams = (
        frames(PING, event("create", 2, "12"), then="fin"),
        refusal(503),
        frames(PING, event("create", 3, "13"), then="fin"),
        frames(PING),
    )
    init = [snapshot(1, cursor="11")]
    async with (
        bench(folder, *streams, init=init) as on,
        Open(on, kind, start=SNAPSHOT) as tab,
    ):
        await on.until(lambda: len(on.server.cursors) == 4 and tab.live)
        assert on.server.cursors == [
            (None, "11"),
            ("12", "11"),
            (None, "12"),
            ("13", "12"),
        ]
        assert shown(tab) == [1, 2, 3]
        assert len(on.server.of(PATHS.init)) == 1


async def a_reset_clears_and_starts_anew(kind: Tab, folder: Path) -> None:
    reset = 'event: reset\ndata: {"reason": "evicted"}\n\n'
    streams = (
        frames(PING, event("create", 9, "9"), reset + event("create", 10, "10")),
        frames(PING.replace("\n", "\nid: 20\n", 1), then="hold"),
    )
    init = [snapshot(1, cursor="8"), snapshot(3, 4, cursor="30")]
    async with (
        bench(folder, *streams, init=init) as on,
        Open(on, kind, start=SNAPSHOT) as tab,
    ):
        await on.until(lambda: tab.resets == 1 and tab.live)
        assert on.server.cursors == [(None, "8"), (None, None)]
        assert shown(tab) == [3, 4]
        assert tab.cursor == "20"
        assert on.closed[0].kind is CloseKind.CLIENT
        assert on.recorder.records.index(on.closed[0]) < on.recorder.records.index(
            on.opened[1]
        )
        await on.until(lambda: any(wire.hung_up for wire in on.server.wires))


async def a_reset_without_a_cursor_is_waited_after(kind: Tab, folder: Path) -> None:
    """A server that resets every fresh stream is not stormed."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def spy(delay: float, result: Any = None) -> Any:
        if delay < TIME_LIMITS_S:
            slept.append(delay)
        return await sleep(0, result)

    streams = (frames(PING, "event: reset\ndata: {}\n\n"),) * 3
    async with bench(folder, *streams) as on:
        with mock.patch("harness.client.client.asyncio.sleep", spy):
            async with Open(on, kind, retry_ms=1_000) as tab:
                await on.until(lambda: tab.resets == 3)
    assert len(slept) >= 2
    assert all(0.5 <= delay <= 1.5 for delay in slept)


async def stream_first_buffers(kind: Tab, folder: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def before_init() -> None:
        asked.set()
        await go.wait()

    async def stream(wire: Wire) -> None:
        await wire.stream(PING, event("create", 2, "2"), event("update", 1, "3", "new"))
        await wire.gone()

    fields: dict[str, Any] = {"init": [snapshot(1, 2)], "before_init": before_init}
    async with bench(folder, stream, **fields) as on, Open(on, kind) as tab:
        await on.until(lambda: asked.is_set() and len(on.frames) == 3)
        assert shown(tab) == []
        assert not tab.live
        go.set()
        await on.until(lambda: tab.live)
        assert shown(tab) == [1, 2]
        assert tab.view.text_of(1) == "new"
        assert tab.cursor == "3"
        first = next(r.n for r in on.invokes if r.f is F.INIT)
        assert first > on.frames[0].n  # asked for after the ping frame


async def snapshot_first_without_a_cursor_falls_back(kind: Tab, folder: Path) -> None:
    streams = (frames(PING, event("create", 3, "3")),)
    async with (
        bench(folder, *streams, init=[snapshot(1), snapshot(1, 2)]) as on,
        Open(on, kind, start=SNAPSHOT) as tab,
    ):
        await on.until(lambda: tab.live and shown(tab) == [1, 2, 3])
        assert on.server.cursors == [(None, None)]
        assert len(on.server.of(PATHS.init)) == 2


async def without_cursors_each_error_clears_once(kind: Tab, folder: Path) -> None:
    """Profile naive: while the server is down nothing is cleared again."""
    ended, down, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def first(wire: Wire) -> None:
        await wire.stream(PING, event("create", 2, "id-2"))
        await ended.wait()

    async def refused(wire: Wire) -> None:
        down.set()
        await wire.send(answer(503))

    async def second(wire: Wire) -> None:
        await wire.stream(PING, event("create", 5))
        await again.wait()

    streams = (first, refused, refused, refused, second, frames(PING))
    init = [snapshot(1), snapshot(4), snapshot(6)]
    async with (
        bench(folder, *streams, init=init) as on,
        Open(on, kind, resumes=False) as tab,
    ):
        await on.until(lambda: tab.live and shown(tab) == [1, 2])
        ended.set()
        await on.until(down.is_set)
        assert not shown(tab)
        tab.view.apply("create", {"id": 9, "value": {}})  # would not outlive a clear
        await on.until(lambda: len(on.opened) == 4)
        assert shown(tab) == [9]
        await on.until(lambda: tab.live and shown(tab) == [4, 5])
        assert (tab.clears, tab.resets, tab.cursor) == (1, 0, "")
        again.set()
        await on.until(lambda: tab.live and shown(tab) == [6])
        assert tab.clears == 2
        assert on.server.cursors == [(None, None)] * 6


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        cursors_are_committed_at_the_blank_line,
        partial_events_are_dropped,
        an_old_stream_counts_no_more,
        without_a_cursor_none_is_sent,
        reconnects_are_spread,
        the_query_stays_and_the_header_grows,
        a_dead_source_is_made_anew,
        a_reset_clears_and_starts_anew,
        a_reset_without_a_cursor_is_waited_after,
        stream_first_buffers,
        snapshot_first_without_a_cursor_falls_back,
        without_cursors_each_error_clears_once,
    )
}
