"""Connections live as long as they are pinged."""

import asyncio

import pytest

from harness.client.client import Start
from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import ALL, judges

LEFT_S = 3.0
"""By then a server has surely noticed that a tab is gone."""


@pytest.mark.waits(4)
@judges("ping/silent-dropped", "ping/unknown-refused", profiles=ALL)
async def test_silent_connection_is_dropped(world: World) -> None:
    """Who never pings is hung up on in time, and is gone from the channel."""
    await world.client("fresh", pings=False, start=Start.STREAM_FIRST)
    mute = await world.client("mute", pings=False)
    attempt, connection = mute.attempt, mute.connection_id
    limits = world.limits
    patience_s = 3 * (limits.ping_interval_ms + limits.ping_grace_ms) / 1_000
    await world.until(
        lambda: attempt is not None and attempt.kind is not None,
        "the silent connection ended",
        within_s=patience_s,
    )
    await world.passes(2)
    await world.ping(connection)


@pytest.mark.waits(5)
@judges("ping/silent-dropped", profiles=ALL)
async def test_one_ping_is_not_for_ever(world: World) -> None:
    """Pinged once and then silent, while events flow: silence all the same."""
    mute = await world.client("mute", pings=False)
    attempt, limits = mute.attempt, world.limits
    await world.ping(mute.connection_id)
    patience_s = 3 * (limits.ping_interval_ms + limits.ping_grace_ms) / 1_000
    async with world.writing(round(2 * patience_s), writers=1, every_s=0.25):
        await world.until(
            lambda: attempt is not None and attempt.kind is not None,
            "the silent connection ended",
            within_s=patience_s,
        )


@judges("ping/pinged-kept", "converge", profiles=ALL)
async def test_pinged_connection_is_kept(world: World) -> None:
    """Pinged in time, a connection outlives every ping limit; two at once are fine."""
    alice = await world.client("alice")
    limits = world.limits
    both = (world.ping(alice.connection_id) for _ in range(2))
    await asyncio.gather(*both)
    limit_s = (limits.ping_interval_ms + limits.ping_grace_ms) / 1_000
    await world.passes(1.6 * limit_s)
    await world.seen(await world.write(), alice)


@judges("ping/unknown-refused")
async def test_unknown_connection_is_refused(world: World) -> None:
    """A ping for a connection that never was, or that its tab has left, gets a 404."""
    tab = await world.client("tab")
    await tab.close()
    await world.ping("no-such-connection")
    await world.ping("0")
    await world.ping(world.witness.connection_id + "x")
    await world.passes(LEFT_S)
    await world.ping(tab.connection_id)


@judges("ping/unique-connection")
async def test_connection_ids_are_unique(world: World) -> None:
    """No two streams share an id, not even one after the other."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol")]
    for tab in tabs * 2:
        await world.inject(cut(tab))
        await world.live(tab)
