"""Bytes on a wire: all of them, in order, as late and as many as the shape says."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.sim.wire import PLAIN, WINDOW, Shape, Wire
from tests.sim.bench import ANSWER, Bench, hosted, ours

SECONDS = 0.001


@dataclass(slots=True)
class End:
    """A reader that reads at once."""

    came: list[tuple[float, bytes]] = field(default_factory=list)
    ended: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(part for _, part in self.came)


def played(play: Callable[[Wire, End], Any]) -> End:
    """Use a wire, and wait for all that it brings."""
    end = End()

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()

        def deliver(data: bytes) -> None:
            wire.read(len(data))
            end.came.append((loop.time(), data))

        def over(reset: bool) -> None:
            end.ended.append((loop.time(), reset))

        wire = Wire(loop, latency=lambda: SECONDS, deliver=deliver, end=over)
        result = play(wire, end)
        if result is not None:
            await result
        await asyncio.sleep(1_000)

    ours(main)
    return end


SHAPES = {
    "plain": PLAIN,
    "late": Shape(delay_s=0.2),
    "slow": Shape(bytes_per_s=1_000),
    "sliced": Shape(slice_bytes=7),
    "slow and sliced": Shape(bytes_per_s=1_000, slice_bytes=7, delay_s=0.1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_everything_comes_in_order(name: str) -> None:
    parts = [bytes([n]) * (n + 1) for n in range(60)]

    async def play(wire: Wire, _: End) -> None:
        wire.reshape(SHAPES[name])
        for part in parts:
            wire.send(part)
            await asyncio.sleep(0.003)
        wire.finish(reset=False)

    end = played(play)
    assert end.data == b"".join(parts)
    assert [reset for _, reset in end.ended] == [False]
    assert end.ended[0][0] >= end.came[-1][0]


@pytest.mark.parametrize("name", SHAPES)
def test_a_change_of_the_shape_loses_nothing(name: str) -> None:
    async def play(wire: Wire, _: End) -> None:
        for shape in (PLAIN, SHAPES[name], replace(PLAIN, held=True), SHAPES[name]):
            wire.reshape(shape)
            wire.send(b"abc" * 50)
            await asyncio.sleep(0.02)
        wire.reshape(PLAIN)
        wire.send(b"z")

    assert played(play).data == b"abc" * 200 + b"z"


def test_a_delay_is_kept() -> None:
    def play(wire: Wire, _: End) -> None:
        wire.reshape(Shape(delay_s=0.2))
        wire.send(b"a")

    assert played(play).came == [(pytest.approx(0.2 + SECONDS), b"a")]


def test_a_rate_is_kept() -> None:
    def play(wire: Wire, _: End) -> None:
        wire.reshape(Shape(bytes_per_s=1_000))
        wire.send(b"a" * 5_000)

    assert played(play).came[-1][0] == pytest.approx(5, abs=0.01)


def test_a_held_wire_keeps_all_until_it_is_let_go() -> None:
    async def play(wire: Wire, end: End) -> None:
        wire.reshape(replace(PLAIN, held=True))
        wire.send(b"late")
        await asyncio.sleep(50)
        assert end.came == []
        wire.reshape(PLAIN)

    end = played(play)
    assert end.data == b"late"
    assert end.came[0][0] >= 50


def test_a_hole_swallows_only_while_it_is_there() -> None:
    async def play(wire: Wire, _: End) -> None:
        wire.send(b"a")
        await asyncio.sleep(1)
        wire.reshape(replace(PLAIN, swallows=True))
        wire.send(b"b")
        await asyncio.sleep(1)
        wire.reshape(PLAIN)
        wire.send(b"c")

    assert played(play).data == b"ac"


@pytest.mark.parametrize("limit", [1, 5, 10, 11])
def test_a_limit_lets_exactly_so_many_bytes_through(limit: int) -> None:
    reached = []

    def play(wire: Wire, _: End) -> None:
        wire.limit, wire.on_limit = limit, lambda: reached.append(True)
        wire.send(b"0123456789")

    end = played(play)
    assert end.data == b"0123456789"[:limit]
    assert reached == [True] * (limit <= 10)


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_is_seen_at_once_and_loses_what_is_on_its_way(reset: bool) -> None:
    async def play(wire: Wire, _: End) -> None:
        wire.send(b"read")
        await asyncio.sleep(1)
        wire.send(b"lost")
        wire.cut(reset=reset)
        wire.send(b"never sent")

    end = played(play)
    assert end.data == b"read"
    assert end.ended == [(1.0, reset)]


def test_a_reader_that_does_not_read_makes_the_writer_wait(tmp_path: Path) -> None:
    source = f"""{ANSWER}
sent = 0

async def flood(send):
    global sent
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    while sent < 1_000_000:
        part = {{"type": "http.response.body", "body": b"x" * 1000, "more_body": True}}
        await send(part)
        sent += 1000

async def handle(scope, receive, send):
    if scope["path"] == "/flood":
        await flood(send)
    else:
        await answer(send, sent)

app = serves(handle)
"""

    async def play(bench: Bench) -> tuple[int, int]:
        await bench.server.start()
        async with bench.http.stream("GET", "http://host/flood") as response:
            await asyncio.sleep(10)
            unread = int(await bench.get("/sent"))
            read = 0
            async for part in response.aiter_raw():
                read += len(part)
                if read >= 1_000_000:
                    break
        return unread, read

    unread, read = hosted(tmp_path, source, play)
    assert unread < 2 * WINDOW + 100_000
    assert read == 1_000_000
