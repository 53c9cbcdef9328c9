"""Messages that are only ever created: the database answers every reconnect."""

import asyncio

import pytest

from harness.arm import How
from harness.client.client import Start
from harness.core.errors import NotApplicable
from harness.world import World
from scenarios.cursors import bad_cursors
from scenarios.requirements import LOG, PERSONAL, judges


@pytest.mark.parametrize("how", list(How))
@judges(
    "resume/across-restart",
    "resume/within-log",
    "resume/no-needless-reset",
    "event/no-loss",
    "event/no-duplicate",
    "converge",
)
async def test_restarts_with_writes_in_between(world: World, how: How) -> None:
    """Cursors outlive the server: what was written before, between, after is there."""
    alice = await world.client("alice")
    bob = await world.client("bob", start=Start.STREAM_FIRST)
    await world.seen((await world.write_many(3))[-1], alice, bob)
    async with world.away(alice):
        await world.write_many(2)
        await world.restart(how)
        await world.write_many(2)
        await world.restart(how)
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges("resume/across-restart", "resume/at-head", "resume/no-needless-reset")
async def test_restart_with_nothing_missed(world: World) -> None:
    """Nothing was written meanwhile: nothing comes again, and nobody is reset."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    await world.restart(How.TERM)
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("resume/no-needless-reset", "stream/content-type", profiles=LOG)
async def test_a_cursor_says_what_it_likes(world: World) -> None:
    """Malformed and future cursors are answered by messages or by none, never reset."""
    alice = await world.client("alice")
    await world.write_many(3)
    await world.seen(await world.write(), alice)
    cursors = bad_cursors(world.witness.cursor)
    await asyncio.gather(*(world.probe(header=cursor) for cursor in cursors))
    alice.switch()
    await world.live(alice)
    await world.seen(await world.write(), alice)


@pytest.mark.limits(retention_ms=60_000)  # no event may be too old meanwhile
@judges(
    "resume/within-log", "resume/no-needless-reset", "event/no-loss", profiles=PERSONAL
)
async def test_more_missed_than_a_page_holds(world: World) -> None:
    """However far behind: every message, not only the last two hundred."""
    if 0 < world.limits.retention_ms < 20_000:
        raise NotApplicable("events are pruned before so many of them are written")
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice), world.writing(210, writers=4):
        pass
    await world.seen(await world.write(), alice)
