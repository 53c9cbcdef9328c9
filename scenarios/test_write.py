"""Writes: acknowledged means kept, refused means nothing happened."""

import asyncio

from harness.arm import How
from harness.core.steps import TextKind
from harness.texts import TEXTS
from harness.world import World
from scenarios.requirements import CHANGING, judges


@judges("write/durable", "converge")
async def test_acknowledged_writes_survive_a_kill(world: World) -> None:
    """kill -9 right after the answers: every create, update and delete stands."""
    sent = await world.write_many(world.limits.message_limit + 10)
    if world.changes:
        await world.update(sent[-1].id)
        await world.delete(sent[-2].id)
    await world.write()
    await world.stop(How.KILL)
    await world.start()
    await world.read_all()


@judges("write/durable")
async def test_killed_at_each_kind_of_write(world: World) -> None:
    """A kill the moment after one create, one update, one delete."""
    alice = await world.client("alice")
    kept = await world.write_many(3)
    await world.write(by=alice)
    await world.restart(How.KILL)
    await world.read_all()
    if world.changes:
        kept = [await world.write(), await world.write()]
        await world.delete(kept[0].id)
        await world.restart(How.KILL)
        await world.read_all()
        await world.seen(await world.write(), world.witness)
        shown = world.witness.view.messages()
        for _ in range(2):
            await world.update(shown[0].id if shown else 0)
    await world.restart(How.KILL)
    await world.read_all()
    await world.write()
    await world.restart(How.KILL)
    await world.read_all()


@judges("write/durable", "event/no-loss", "converge", profiles=CHANGING)
async def test_changes_of_changed_messages(world: World) -> None:
    """Changed twice, changed and deleted, then all of it again after a restart."""
    alice = await world.client("alice")
    for _ in range(2):
        first, second, _ = await world.write_many(3)
        await world.update(first.id)
        await world.update(first.id)
        await world.update(second.id)
        await world.delete(second.id)
        await world.restart(How.KILL)
        await world.seen(await world.write(), alice, world.witness)
        await world.read_all()
        shown = world.witness.view.messages()
        if len(shown) > 1:
            await world.update(shown[0].id)
            await world.delete(shown[1].id)
        await world.seen(await world.write(), alice)


@judges("event/no-phantom", "converge", profiles=CHANGING)
async def test_changes_of_one_message_at_once(world: World) -> None:
    """Deleted twice, changed and deleted: what comes second finds nothing."""
    alice = await world.client("alice")
    for _ in range(8):
        one = (await world.write()).id
        changes = world.delete(one), world.delete(one), world.update(one)
        await asyncio.gather(*changes)
        await world.delete(one)
        await world.update(one)
    await world.seen(await world.write(), alice)


@judges("write/bad-input", "event/no-phantom")
async def test_table_of_bad_input(world: World) -> None:
    """Bad input is refused with an error body and leaves no trace; good is taken."""
    alice = await world.client("alice")
    good = await world.write()
    for bad in world.bad_requests(good.id):
        await world.send_bad(bad)
    longest = await world.client("longest", uid=world.longest_label())
    await world.write(by=longest)
    await world.write(filled=True)
    wide = await world.write(f"{TEXTS[TextKind.WIDE]} {world.number()}")
    if world.changes:
        await world.update(good.id)
        await world.update(wide.id)
        await world.delete(good.id)
    await world.snapshot()
    await world.seen(await world.write(), alice)
