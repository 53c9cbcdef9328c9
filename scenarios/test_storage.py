"""The database behind the server: away, slow, full, cut off in mid-commit."""

from contextlib import AsyncExitStack

import pytest

from harness.arm import How
from harness.core.fault import Fate
from harness.world import World
from scenarios.requirements import ALL, LOG, RESETTING, judges

SLOW_S = 0.4
"""Long enough to be seen, and far below any patience with a lock."""

STILL_S = 0.6
"""After so long nothing is on its way: what is shown then must be what is stored."""

TOLD_S = 0.2
"""An event that goes out with the refusal of its write has come by then."""


@judges("init/from-cache", "converge")
async def test_snapshots_while_the_database_is_away(world: World) -> None:
    """Whoever comes while the database is away gets the window, whole and right."""
    sent = await world.write_many(world.limits.message_limit + 3)
    await world.update(sent[-1].id)
    await world.delete(sent[-2].id)
    alice = await world.client("alice")
    async with world.storage.away():
        await world.write()
        await world.snapshot()
        await world.client("bob")
    await world.seen(await world.insist(), alice, world.clients["bob"])


@pytest.mark.waits(4)
@judges("write/before-broadcast", "event/no-phantom", "converge")
async def test_writes_while_the_database_is_away(world: World) -> None:
    """Each kind of write finds it gone first: no event, and accepted when tried again.

    A server may refuse everything after that one, so each has a turn of its own.
    """
    alice = await world.client("alice")
    first, second = await world.write_many(2)
    async with world.storage.away():
        await world.write()
        await world.passes(TOLD_S)
    await world.insist()
    if world.changes:
        async with world.storage.away():
            await world.update(first.id)
            await world.passes(TOLD_S)
        await world.insist()
        async with world.storage.away():
            await world.delete(second.id)
            await world.passes(TOLD_S)
        await world.insist()
        await world.update(first.id)
        await world.delete(second.id)
    await world.seen(await world.write(), alice)
    await world.passes(STILL_S)


@judges("write/before-broadcast", "event/no-phantom", "converge")
async def test_writes_while_the_disk_is_full(world: World) -> None:
    """A commit that finds no room is refused, as a statement without a database is."""
    alice = await world.client("alice")
    first, second = await world.write_many(2)
    async with world.storage.full():
        await world.write()
        if world.changes:
            await world.update(first.id)
            await world.delete(second.id)
        await world.snapshot()
        await world.passes(TOLD_S)
    await world.insist()
    if world.changes:
        await world.update(first.id)
        await world.delete(second.id)
    await world.seen(await world.write(), alice)
    await world.passes(STILL_S)


@judges("resume/within-log", "write/before-broadcast", profiles=RESETTING)
async def test_back_while_the_database_is_away(world: World) -> None:
    """Streams are resumed from memory; those that stay open never notice."""
    alice, bob = await world.client("alice"), await world.client("bob")
    await world.seen(await world.write(), alice, bob)
    async with AsyncExitStack() as lid:
        await lid.enter_async_context(world.away(bob))
        await world.write_many(3)
        async with world.storage.away():
            await world.write()
            await world.passes(TOLD_S)
            await lid.aclose()
            await world.live(bob)
    await world.seen(await world.insist(), alice, bob)


@pytest.mark.waits(4)
@judges("resume/within-log", "event/no-loss", "converge", profiles=LOG)
async def test_back_before_the_database_is(world: World) -> None:
    """Who asks for what only the database knows may be sent away, and loses nothing."""
    alice, bob = await world.client("alice"), await world.client("bob")
    await world.seen(await world.write(), alice, bob)
    async with AsyncExitStack() as lid:
        await lid.enter_async_context(world.away(bob))
        await world.write_many(3)
        async with world.storage.away():
            await world.write()
            await lid.aclose()
            await world.probe(header=bob.cursor)
    await world.live(bob)
    await world.seen(await world.insist(), alice, bob)


@judges("event/order", "event/no-loss", "converge")
async def test_slow_database(world: World) -> None:
    """Writes that wait for the database come late, once, in order."""
    alice = await world.client("alice")
    async with world.storage.slow(SLOW_S), world.writing(6, writers=2):
        await world.client("bob")
    await world.seen(await world.write(), alice, world.clients["bob"])


@judges("write/durable", "write/before-broadcast")
async def test_what_was_refused_is_not_there_after_a_kill(world: World) -> None:
    """Told apart after a kill: acknowledged writes are there, refused ones are not."""
    await world.write_many(3)
    async with world.storage.full():
        await world.write()
        await world.write()
    await world.insist()
    await world.restart(How.KILL)
    await world.read_all()


@pytest.mark.parametrize("fate", list(Fate))
@judges(
    *("write/before-broadcast", "write/durable", "history/pages", "converge"),
    profiles=ALL,
)
async def test_cut_in_mid_commit(world: World, fate: Fate) -> None:
    """Nobody is told whether the commit stands; what clients are told is so."""
    alice = await world.client("alice")
    await world.write_many(3)
    async with world.storage.commit_cut(fate):
        await world.write()
    await world.seen(await world.insist(), alice)
    await world.write_many(world.limits.message_limit)
    await world.read_all()
    await world.restart(How.KILL)
    await world.read_all()
