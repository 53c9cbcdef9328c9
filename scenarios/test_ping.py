"""Connections live as long as they are pinged."""

from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import judges


@judges("ping/silent-dropped", "ping/unknown-refused")
async def test_silent_connection_is_dropped(world: World) -> None:
    """Who never pings is hung up on in time, and is gone from the channel."""
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


@judges("ping/pinged-kept", "converge")
async def test_pinged_connection_is_kept(world: World) -> None:
    """Pinged in time, a connection outlives every ping limit."""
    alice = await world.client("alice")
    limits = world.limits
    limit_s = (limits.ping_interval_ms + limits.ping_grace_ms) / 1_000
    await world.passes(1.6 * limit_s)
    await world.seen(await world.write(), alice)


@judges("ping/unknown-refused")
async def test_unknown_connection_is_refused(world: World) -> None:
    """A ping for a connection that never was gets a 404."""
    await world.ping("no-such-connection")
    await world.ping("0")
    await world.ping(world.witness.connection_id + "x")


@judges("ping/unique-connection")
async def test_connection_ids_are_unique(world: World) -> None:
    """No two streams share an id, not even one after the other."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol")]
    for tab in tabs * 2:
        await world.inject(cut(tab))
        await world.live(tab)
