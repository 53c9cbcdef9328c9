"""Cuts: at once, after so many bytes, inside a frame, and of the connection to come."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from harness.client.client import VirtualClient
from harness.core.errors import CouldNotRun, Unreached
from harness.core.fault import When, cut
from harness.core.history import CloseKind
from harness.core.steps import CutAt, CutNext

if TYPE_CHECKING:
    from harness.chaos.play import Player

FRAME_BYTES = 120
"""The least that a message of ours takes on the wire of any target seen so far."""


class Ends(Protocol):
    """A connection attempt: it has a status once answered, a `kind` once over."""

    @property
    def status(self) -> int | None: ...

    @property
    def kind(self) -> CloseKind | None: ...


async def cut_all(
    player: "Player", clients: Sequence[VirtualClient], after_bytes: int = 0
) -> None:
    """Cut these, each in its way; with bytes to come, write until they came."""
    for close, group in player.cast.by_close(clients):
        fault = cut(*group, close=close, after_bytes=after_bytes)
        async with player.world.during(fault):
            if after_bytes:
                attempts = [client.attempt for client in group]
                await _pump(player, group, attempts, after_bytes)


async def _pump(
    player: "Player",
    clients: Sequence[VirtualClient],
    attempts: Sequence[Ends | None],
    wire_bytes: int,
) -> None:
    for _ in range(wire_bytes // FRAME_BYTES + 2):
        if all(one is None or one.kind is not None for one in attempts):
            return
        await player.tell(clients)


def _answered(attempt: Ends | None) -> bool:
    """Whether it was; only then is it sure to get what is written from now on."""
    over = attempt is None or attempt.kind is not None
    return over or (attempt is not None and attempt.status is not None)


async def cut_at(player: "Player", step: CutAt) -> None:
    """Cut a client's stream at a place of a frame, as well as it can be aimed.

    In a burst there is no telling whose frame comes next, and who is turned away
    afterwards has one try only: such a client is cut somewhere.
    """
    if player.bursts or player.cast.turned_away(step.who):
        await cut_all(player, await player.cast.ready([step.who]), FRAME_BYTES)
        return
    for client in await player.cast.ready([step.who]):
        try:
            await player.world.cut_inside(client, step.aim)
        except Unreached:
            raise
        except CouldNotRun:
            return  # cut all right, but elsewhere: others wrote in between


async def cut_next(player: "Player", step: CutNext) -> None:
    """Cut a client, and once more when it has come back and got so many bytes.

    Who leaves a connection hanging has seen everything before: a reset would end the
    next one before the cut does.
    """
    if player.cast.turned_away(step.who):
        await cut_all(player, await player.cast.ready([step.who]))
        return
    hangs = step.hangs and not player.bursts
    for client in await player.cast.ready([step.who]):
        if hangs:
            await player.shown(await player.tell([client]), [client])
        close = player.cast.close_of(client)
        fault = cut(client, close=close, after_bytes=step.after_bytes, when=When.NEXT)
        async with player.world.during(fault):
            await _cut_again(player, client, step, hangs=hangs)


async def _cut_again(
    player: "Player", client: VirtualClient, step: CutNext, *, hangs: bool
) -> None:
    world, before = player.world, client.attempt
    if hangs:
        client.switch()
    else:
        await world.inject(cut(client, close=player.cast.close_of(client)))
    for _ in range(step.missed):
        if client.attempt is before:
            await player.tell([client])
    await world.until(lambda: client.attempt is not before, f"{client.name} comes back")
    after = client.attempt
    await world.until(lambda: _answered(after), f"{client.name} is answered")
    await _pump(player, [client], [after], step.after_bytes)
    await world.until(
        lambda: after is None or after.kind is not None, f"{client.name} is cut again"
    )
