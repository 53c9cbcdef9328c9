"""Faults that last over a block, each with what makes its effect visible.

A fault bites at the beginning of its block, where its victims are known to be on line;
what happens inside then happens to clients that are surely under it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from harness.chaos.cuts import cut_all
from harness.client.client import VirtualClient
from harness.core.fault import (
    Fault,
    FaultKind,
    bandwidth,
    black_hole,
    latency,
    lost_acknowledgement,
    partition,
    refuse,
    slices,
    slow_close,
    stall,
)
from harness.core.steps import Restart

if TYPE_CHECKING:
    from harness.chaos.play import Player

LONG = 2_000
"""Letters of a message that takes its time at any bandwidth drawn."""

SURELY_S = 0.03
"""What the witness saw so long ago is not on its way to anybody any more."""

Clients = Sequence[VirtualClient]


def fault_of(kind: FaultKind, clients: Clients, amount: int) -> Fault:
    """The fault of a block; a kind that does not last is a mistake of the caller."""
    match kind:
        case FaultKind.LATENCY:
            return latency(*clients, delay_ms=amount)
        case FaultKind.BANDWIDTH:
            return bandwidth(*clients, kilobytes_per_s=amount)
        case FaultKind.SLICE:
            return slices(*clients, slice_bytes=amount)
        case FaultKind.SLOW_CLOSE:
            return slow_close(*clients, delay_ms=amount)
    return _PLAIN[kind](*clients)


_PLAIN: dict[FaultKind, Callable[..., Fault]] = {
    FaultKind.STALL: stall,
    FaultKind.BLACK_HOLE: black_hole,
    FaultKind.REFUSE: refuse,
    FaultKind.LOST_ACK: lost_acknowledgement,
    FaultKind.PARTITION: partition,
}


async def bite(player: "Player", kind: FaultKind, clients: Clients) -> None:
    """Do what the fault shows at."""
    if kind in _BITES:
        await _BITES[kind](player, clients)


async def _witnessed(player: "Player", clients: Clients) -> None:
    """Held back or swallowed is what the witness saw and the victims did not."""
    await player.shown(await player.tell(clients), player.witnesses(clients))
    await player.world.passes(SURELY_S)


async def _late(player: "Player", clients: Clients) -> None:
    await player.shown(await player.tell(clients), clients)


async def _trickling(player: "Player", clients: Clients) -> None:
    await player.shown(await player.tell(clients, letters=LONG), clients)


async def _unanswered(player: "Player", clients: Clients) -> None:
    await asyncio.gather(*(player.write(by=client) for client in clients))


async def _outlived(player: "Player", clients: Clients) -> None:
    del clients
    await player.restart(Restart(how="kill"))


_BITES: dict[FaultKind, Callable[["Player", Clients], Awaitable[None]]] = {
    FaultKind.STALL: _witnessed,
    FaultKind.BLACK_HOLE: _witnessed,
    FaultKind.PARTITION: _witnessed,
    FaultKind.LATENCY: _late,
    FaultKind.SLICE: _late,
    FaultKind.BANDWIDTH: _trickling,
    FaultKind.LOST_ACK: _unanswered,
    FaultKind.SLOW_CLOSE: _outlived,
}


async def bite_last(player: "Player", kind: FaultKind, clients: Clients) -> None:
    """What would have changed the inside of the block: who is turned away is cut."""
    if kind is FaultKind.REFUSE:
        await cut_all(player, [one for one in clients if player.cast.hears(one)])
