"""Every fault as a row of the matrix: what is done in a phase, and how it is let go.

Each deed is one small async function that runs unchanged on both arms. It waits for
what must be seen, never for a time, so that nothing depends on how fast a machine is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from harness.aim import chunk_overhead
from harness.arm import How
from harness.chaos.phases import Phase
from harness.core.fault import (
    Close,
    Fault,
    FaultKind,
    bandwidth,
    black_hole,
    cut,
    latency,
    lost_acknowledgement,
    partition,
    refuse,
    slices,
    slow_close,
    stall,
)
from harness.core.history import F, Invoke, Responded
from tests.parity.phases import (
    LONG,
    REACH,
    Reach,
    between_frames,
    cut_next,
    dripping,
    inside_a_frame,
    replay,
    stalled,
)
from tests.parity.stage import Stage

Deed = Callable[[Stage, Phase, AsyncExitStack], Awaitable[None]]

K = 30
"""Bytes that a cut lets through of what it lands in."""

INTO_REPLAY = 1_500
"""Bytes of the body that a cut lets through: into the second, long event."""

SLOW_CLOSE_MS = 400
CALM_S = 0.2
POOLED_S = 2.2
"""After so long no connection of a call is kept (harness.client.transport)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault: `reach` where a phase needs another way, `senseless` with reasons.

    `exact` tells that the fault defines the last byte. Without `pings` the client's
    writes are its only calls. `unseen` are phases in which the harness does not tell
    whether the fault bit (harness.effects), with reasons.
    """

    kind: FaultKind
    deed: Deed
    close: Close = Close.FIN
    pings: bool = True
    exact: bool = False
    reach: Mapping[Phase, Reach] = field(default_factory=dict)
    senseless: Mapping[Phase, str] = field(default_factory=dict)
    unseen: Mapping[Phase, str] = field(default_factory=dict)

    def reaches(self, phase: Phase) -> Reach:
        """How this row's client comes to a phase."""
        return self.reach.get(phase, REACH[phase])


# ---- cuts ----------------------------------------------------------------------------


async def cut_now(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """The stream is cut; what is on its way is lost."""
    del phase
    since = len(stage.records)
    fault = cut(stage.client, close=stage.close)
    await stage.cut(fault)
    stage.note_effect(fault, since)
    await hold.aclose()


async def cut_at(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """The stream is cut at a byte of the head, at a frame's end, inside something."""
    since = len(stage.records)
    if phase is Phase.BEFORE_HEADERS:
        await cut_next(stage, K)
        await stage.cut()
    elif phase is Phase.REPLAY:
        await _cut_replay(stage)
    else:
        await stage.link.apply(_after(stage, _bytes_to(stage, phase)))
        if phase is not Phase.IDLE:
            await stage.write()
    cuts = 2 if phase in (Phase.BEFORE_HEADERS, Phase.REPLAY) else 1
    await stage.until(lambda: stage.cuts() == cuts, "the cut at a byte")
    stage.note_effect(_after(stage, 1), since)
    await hold.aclose()


async def _cut_replay(stage: Stage) -> None:
    """Behind a stall events are missed, and the next connection gets its cut."""
    stalling = stall(stage.client)
    await stage.link.apply(stalling)
    for size in (0, LONG):
        await stage.write(size)
    await cut_next(stage, _head_bytes(stage) + INTO_REPLAY)
    await stage.cut()
    await stage.dialled()
    await stage.link.heal(stalling)


def _after(stage: Stage, after_bytes: int) -> Fault:
    return cut(stage.client, close=stage.close, after_bytes=after_bytes)


def _bytes_to(stage: Stage, phase: Phase) -> int:
    """Wire bytes from between two frames to where the cut is to land."""
    sample = stage.frames()[-1]
    if phase is Phase.BETWEEN_FRAMES:
        return chunk_overhead(sample) + len(sample.encode())
    return chunk_overhead(sample) + (4 if phase is Phase.IDLE else K)


def _head_bytes(stage: Stage) -> int:
    """Bytes of an answer's head on this arm: other programs send other headers."""
    answered = [one for one in stage.records if isinstance(one, Responded)][-1]
    lines = [f"{name}: {value}\r\n" for name, value in answered.headers.items()]
    return len("HTTP/1.1 200 OK\r\n" + "".join(lines) + "\r\n")


# ---- faults that last ----------------------------------------------------------------


def lossless(fault: Callable[[Stage], Fault], size: int = 0) -> Deed:
    """Everything comes, in its time."""

    async def deed(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
        del phase
        async with stage.under(fault(stage)):
            await hold.aclose()
            await stage.world.live(stage.client)
            await stage.shown(await stage.write(size))

    return deed


def silent(fault: Callable[[Stage], Fault]) -> Deed:
    """Nothing comes any more, or nobody is let in, until it is healed."""

    async def deed(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
        async with stage.under(fault(stage)):
            await hold.aclose()
            if phase is Phase.CONNECTING:
                await _met(stage, fault(stage))
            await stage.witnessed()

    return deed


async def _met(stage: Stage, fault: Fault) -> None:
    if fault.kind is FaultKind.STALL:
        await stage.dialled()
    else:
        await stage.refused()


async def refused(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """The open stream lives on; after a cut there is no way in."""
    async with stage.under(refuse(stage.client)):
        await hold.aclose()
        if phase is not Phase.CONNECTING:
            await stage.world.live(stage.client)
            await stage.shown(await stage.write())
            await stage.cut()
        await stage.refused()
        await stage.witnessed()


async def slowly_closed(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """The server dies, which the client learns late."""
    fault = slow_close(stage.client, delay_ms=SLOW_CLOSE_MS)
    async with stage.under(fault):
        if phase is Phase.CONNECTING:
            await hold.aclose()
            await stage.world.live(stage.client)
        await _server_ends(stage, phase, hold, How.KILL)
    await _server_returns(stage)


async def lost_ack(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """Its write is carried out and not answered; phases are those of the request."""
    del hold
    if phase is Phase.CONNECTING:
        await stage.world.passes(POOLED_S)
    async with AsyncExitStack() as freezing:
        writing = None
        if phase is Phase.BEFORE_HEADERS:
            await freezing.enter_async_context(stage.world.paused())
            writing = asyncio.create_task(stage.write(by=stage.client))
            await stage.until(lambda: _asked(stage), "the write is sent")
            await stage.world.passes(CALM_S)
        async with stage.under(lost_acknowledgement(stage.client)):
            await freezing.aclose()
            await (writing or stage.write(by=stage.client))
    await stage.write(by=stage.client)


def _asked(stage: Stage) -> bool:
    return any(
        isinstance(one, Invoke) and one.who == stage.name and one.f is F.CREATE
        for one in stage.records
    )


# ---- the server's life ---------------------------------------------------------------


def ended(how: How) -> Deed:
    """The server ends, is found gone, and comes back."""

    async def deed(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
        since = len(stage.records)
        await _server_ends(stage, phase, hold, how)
        kind = FaultKind.KILL if how is How.KILL else FaultKind.TERM
        stage.note_effect(Fault(kind=kind), since)
        await _server_returns(stage)

    return deed


async def _server_ends(
    stage: Stage, phase: Phase, hold: AsyncExitStack, how: How
) -> None:
    """Nobody is let in before it is gone: who comes earlier may still be answered."""
    refusal = refuse(stage.client)
    before = stage.ended()
    await stage.link.apply(refusal)
    await stage.world.stop(how)
    await hold.aclose()
    if phase is not Phase.CONNECTING:
        await stage.until(lambda: stage.ended() > before, "the stream ends")
    await stage.refused()
    await stage.link.heal(refusal)


async def _server_returns(stage: Stage) -> None:
    """Its new life knows no cursor of the old one."""
    await stage.hung_up()
    resets = stage.client.resets
    await stage.world.start()
    await stage.until(lambda: stage.client.resets > resets, "the reset is obeyed")


async def paused(stage: Stage, phase: Phase, hold: AsyncExitStack) -> None:
    """The server is frozen, and goes on where it was."""
    since = len(stage.records)
    async with stage.world.paused():
        await hold.aclose()
        if phase is Phase.CONNECTING:
            await stage.dialled()
        writing = asyncio.create_task(stage.write())
        await stage.world.passes(CALM_S)
    stage.note_effect(Fault(kind=FaultKind.PAUSE), since)
    sent = await writing
    await stage.world.live(stage.client)
    await stage.shown(sent)


# ---- the rows ------------------------------------------------------------------------

NOTHING_OPEN = "nothing is open yet that could be cut; a refusal is a row of its own"
NO_BYTE = "no byte of an answer has come that could be counted"
OPEN_ONLY = "it is a fault of open connections; a new one is sound"
WAS_OPEN = "its effect is looked for on connections that were open before"
WAS_SENT = "its effect is looked for on requests that were sent after it began"
OF_REQUESTS = "it is of requests, whose answer is one piece: none of these is met"

NOW = {Phase.CONNECTING: NOTHING_OPEN}
AT = {Phase.CONNECTING: NO_BYTE}
AT_REACH = dict.fromkeys(
    (Phase.BEFORE_HEADERS, Phase.INSIDE_A_FRAME, Phase.REPLAY), between_frames
)
STALLED: dict[Phase, Reach] = {Phase.BEFORE_HEADERS: stalled}
DRIPPING: dict[Phase, Reach] = {
    Phase.INSIDE_A_FRAME: inside_a_frame(dripping),
    Phase.REPLAY: replay(dripping),
}

Cell = tuple[str, Phase]
"""A row's name, and the phase that the fault meets."""

ROWS: dict[str, Row] = {
    "cut, FIN": Row(kind=FaultKind.CUT, deed=cut_now, reach=STALLED, senseless=NOW),
    "cut, RST": Row(
        kind=FaultKind.CUT,
        deed=cut_now,
        close=Close.RST,
        reach=STALLED,
        senseless=NOW,
    ),
    "cut at byte k, FIN": Row(
        kind=FaultKind.CUT, deed=cut_at, exact=True, reach=AT_REACH, senseless=AT
    ),
    "cut at byte k, RST": Row(
        kind=FaultKind.CUT,
        deed=cut_at,
        close=Close.RST,
        exact=True,
        reach=AT_REACH,
        senseless=AT,
    ),
    "latency": Row(
        kind=FaultKind.LATENCY,
        deed=lossless(lambda stage: latency(stage.client, delay_ms=200)),
    ),
    "bandwidth": Row(
        kind=FaultKind.BANDWIDTH,
        deed=lossless(lambda s: bandwidth(s.client, kilobytes_per_s=4), size=2_000),
        reach=DRIPPING,
    ),
    "slice": Row(
        kind=FaultKind.SLICE,
        deed=lossless(lambda s: slices(s.client, slice_bytes=20), size=500),
    ),
    "stall": Row(
        kind=FaultKind.STALL,
        deed=silent(lambda stage: stall(stage.client)),
        unseen={Phase.CONNECTING: WAS_OPEN},
    ),
    "black-hole": Row(
        kind=FaultKind.BLACK_HOLE,
        deed=silent(lambda stage: black_hole(stage.client)),
        senseless={Phase.CONNECTING: OPEN_ONLY},
    ),
    "refuse": Row(kind=FaultKind.REFUSE, deed=refused),
    "lost-acknowledgement": Row(
        kind=FaultKind.LOST_ACK,
        deed=lost_ack,
        pings=False,
        reach={
            Phase.CONNECTING: between_frames,
            Phase.BEFORE_HEADERS: between_frames,
        },
        senseless={
            Phase.BETWEEN_FRAMES: OF_REQUESTS,
            Phase.INSIDE_A_FRAME: OF_REQUESTS,
            Phase.REPLAY: OF_REQUESTS,
        },
        unseen={Phase.BEFORE_HEADERS: WAS_SENT},
    ),
    "slow-close": Row(kind=FaultKind.SLOW_CLOSE, deed=slowly_closed),
    "partition": Row(
        kind=FaultKind.PARTITION,
        deed=silent(lambda s: partition(s.client)),
        unseen={Phase.CONNECTING: WAS_OPEN},
    ),
    "term": Row(kind=FaultKind.TERM, deed=ended(How.TERM), reach=STALLED),
    "kill": Row(kind=FaultKind.KILL, deed=ended(How.KILL)),
    "pause": Row(kind=FaultKind.PAUSE, deed=paused, reach=STALLED),
}
"""The faults, a cut in its four forms."""

CELLS: tuple[Cell, ...] = tuple(
    (name, phase)
    for name, row in ROWS.items()
    for phase in Phase
    if phase not in row.senseless
)
"""Every fault with every phase that it can meet."""
