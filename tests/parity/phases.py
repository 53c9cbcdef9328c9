"""The phases of a connection, and how a client is brought and kept there.

toxiproxy lets through what one toxic holds when another is added, so a client that
waits for headers is one whose server is frozen; where nothing is added, or the server
must run, its line is stalled instead.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from harness.chaos.phases import Phase
from harness.core.fault import Fault, When, bandwidth, cut, slices, stall
from harness.core.history import Frame
from tests.parity.stage import Stage

LONG = 9_000
"""Letters of a message that a slow line is kept busy with, for seconds."""


Slow = Callable[[Stage], Fault]
Reach = Callable[[Stage], AbstractAsyncContextManager[AsyncExitStack]]
"""Brings the client to a phase; closing what is yielded lets it go on."""


def trickling(stage: Stage) -> Fault:
    """Two thousand bytes a second."""
    return bandwidth(stage.client, kilobytes_per_s=2)


def dripping(stage: Stage) -> Fault:
    """A few bytes at a time: for where the bandwidth is the fault under test."""
    return slices(stage.client, slice_bytes=10)


@asynccontextmanager
async def connecting(stage: Stage) -> AsyncIterator[AsyncExitStack]:
    """It is refused; its next try meets the fault."""
    async with AsyncExitStack() as hold:
        await hold.enter_async_context(stage.away())
        yield hold


@asynccontextmanager
async def frozen(stage: Stage) -> AsyncIterator[AsyncExitStack]:
    """Before headers: it has asked, and the server does not run."""
    async with AsyncExitStack() as hold:
        await hold.enter_async_context(stage.world.paused())
        await stage.cut()
        await stage.dialled()
        yield hold


@asynccontextmanager
async def stalled(stage: Stage) -> AsyncIterator[AsyncExitStack]:
    """Before headers: the server has answered, and nothing comes through."""
    async with AsyncExitStack() as hold:
        held = stall(stage.client)
        await stage.link.apply(held)
        hold.push_async_callback(stage.link.heal, held)
        await stage.cut()
        await stage.dialled()
        await stage.round_trips()
        yield hold


@asynccontextmanager
async def between_frames(stage: Stage) -> AsyncIterator[AsyncExitStack]:
    """An event has just come whole."""
    async with AsyncExitStack() as hold:
        await stage.shown(await stage.write())
        yield hold


@asynccontextmanager
async def idle(stage: Stage) -> AsyncIterator[AsyncExitStack]:
    """A keep-alive has come, and no event for long."""
    async with AsyncExitStack() as hold:
        since = len(stage.records)
        await stage.until(lambda: _kept_alive(stage, since), "a keep-alive comes")
        yield hold


def inside_a_frame(slow: Slow = trickling) -> Reach:
    """Part of a long event has come, the rest comes slowly."""

    @asynccontextmanager
    async def reach(stage: Stage) -> AsyncIterator[AsyncExitStack]:
        async with AsyncExitStack() as hold:
            await _slow_down(stage, hold, slow)
            await stage.write(LONG)
            await stage.until(stage.inside_a_frame, "part of a frame comes")
            yield hold

    return reach


def replay(slow: Slow = trickling) -> Reach:
    """One missed event has come whole, part of the next one too."""

    @asynccontextmanager
    async def reach(stage: Stage) -> AsyncIterator[AsyncExitStack]:
        async with AsyncExitStack() as hold:
            async with stage.away():
                await stage.write()
                await stage.write(LONG)
                await _slow_down(stage, hold, slow)
            await stage.until(
                lambda: len(stage.frames()) > 1 and stage.inside_a_frame(),
                "a replay comes",
            )
            yield hold

    return reach


REACH: dict[Phase, Reach] = {
    Phase.CONNECTING: connecting,
    Phase.BEFORE_HEADERS: frozen,
    Phase.BETWEEN_FRAMES: between_frames,
    Phase.INSIDE_A_FRAME: inside_a_frame(),
    Phase.IDLE: idle,
    Phase.REPLAY: replay(),
}
"""How a phase is reached, unless a fault needs another way."""


async def cut_next(stage: Stage, after_bytes: int) -> None:
    """Have the next connection cut after so many bytes from its first one."""
    await stage.link.apply(
        cut(
            stage.client,
            close=stage.close,
            after_bytes=after_bytes,
            when=When.NEXT,
        )
    )


async def _slow_down(stage: Stage, hold: AsyncExitStack, slow: Slow) -> None:
    fault = slow(stage)
    await stage.link.apply(fault)
    hold.push_async_callback(stage.link.heal, fault)


def _kept_alive(stage: Stage, since: int) -> bool:
    mine = stage.conn()
    return any(
        isinstance(one, Frame) and one.conn == mine and one.text.startswith(":")
        for one in stage.records[since:]
    )
