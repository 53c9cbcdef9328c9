"""Reconnects whose continuity is lost: told so, once, and before anything else."""

import asyncio

import pytest

from harness.arm import How
from harness.client.client import Start
from harness.core.fault import cut
from harness.world import World
from scenarios.cursors import bad_cursors, bad_queries
from scenarios.requirements import BROADCAST, judges


@judges("reset/evicted", "reset/before-any-event", "reset/once", profiles=BROADCAST)
async def test_one_event_more_than_the_log_missed(world: World) -> None:
    """The next event is gone from a log that went round: a reset, then all is well."""
    await world.write_many(3 * world.limits.event_log_limit)
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.write_many(world.limits.event_log_limit + 1)
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.inject(cut(alice))
    await world.write()
    await world.seen(await world.write(), alice)


@pytest.mark.parametrize("how", list(How))
@judges("reset/restart", "reset/before-any-event", "reset/once", "converge")
async def test_restart(world: World, how: How) -> None:
    """A restart ends every cursor of the earlier life."""
    alice = await world.client("alice")
    bob = await world.client("bob", start=Start.STREAM_FIRST)
    await world.write_many(3)
    await world.seen(await world.write(), alice, bob)
    async with world.away(alice):
        await world.seen(await world.write(), bob)
        await world.restart(how)
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges("reset/restart", "reset/once", "converge")
async def test_two_restarts_while_away(world: World) -> None:
    """Two restarts are no less than one."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.restart(How.TERM)
        await world.seen(await world.write(), world.witness)
        await world.restart(How.KILL)
        await world.write_many(3)
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(), alice)


@judges(
    "reset/restart", "reset/evicted", "resume/no-needless-reset", profiles=BROADCAST
)
async def test_cursor_before_the_first_event(world: World) -> None:
    """It is good while all is kept; not in the next life, nor when evicted."""
    alice = await world.client("alice", start=Start.STREAM_FIRST)
    async with world.away(alice):
        missed = await world.write()
    await world.seen(missed, alice)
    await world.restart(How.KILL)
    bob = await world.client("bob", start=Start.STREAM_FIRST)
    async with world.away(bob):
        await world.restart(How.KILL)
        await world.write()
    await world.seen(await world.write(), bob)
    await world.restart(How.KILL)
    carol = await world.client("carol", start=Start.STREAM_FIRST)
    async with world.away(carol):
        await world.write_many(world.limits.event_log_limit + 1)
    await world.seen(await world.write(), carol)


@judges("reset/restart", "reset/once", "converge")
async def test_restart_on_another_port(world: World) -> None:
    """The server comes back elsewhere; clients are led there and reset."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.restart(How.TERM, other_port=True)
        await world.write()
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(), alice)


@judges("reset/restart-reused-ids", "reset/restart")
async def test_new_life_counted_as_far_as_the_old_cursor(world: World) -> None:
    """The new life has made as many events as the old cursor counts: still a reset."""
    alice = await world.client("alice")
    await world.write_many(4)
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.restart(How.KILL)
        await world.write_many(8)
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("reset/unknown-cursor", "reset/before-any-event")
async def test_table_of_bad_cursors(world: World) -> None:
    """Cursors that were never issued: reset, never an error, never silence."""
    await world.seen((await world.write_many(3))[-1], world.witness)
    good = world.witness.cursor
    bad = bad_cursors(good)
    await asyncio.gather(*(world.probe(header=cursor) for cursor in bad))
    await asyncio.gather(*(world.probe(query=cursor) for cursor in bad))
    await asyncio.gather(
        *(world.probe(query=cursor) for cursor in bad_queries(good)),
        world.probe(header="garbage", query=good),
    )


@judges("reset/before-any-event", "reset/evicted", profiles=BROADCAST)
async def test_reset_is_alone_and_ends_the_response(world: World) -> None:
    """Nobody hangs up on the reset: the server must, and send nothing more."""
    await world.seen(await world.write(), world.witness)
    cursor = world.witness.cursor
    await world.write_many(world.limits.event_log_limit + 5)
    async with world.writing(10, writers=1):
        await world.probe(header=cursor)


@judges("reset/fresh-never", "reset/once")
async def test_fresh_streams_are_never_reset(world: World) -> None:
    """Without a cursor nothing was lost: after a restart, and after evictions."""
    await world.write_many(5)
    alice = await world.client("alice")
    async with world.away(alice):
        await world.write()
        await world.restart(How.KILL)
    bob = await world.client("bob", start=Start.STREAM_FIRST)
    await world.live(alice)
    await world.write_many(world.limits.event_log_limit + 5)
    carol = await world.client("carol", start=Start.STREAM_FIRST)
    await world.seen(await world.write(), alice, bob, carol)
