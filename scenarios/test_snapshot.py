"""The state that a client starts from, and the pages before it."""

from harness.arm import How
from harness.client.client import Start
from harness.world import World
from scenarios.requirements import judges


@judges("init/window", "write/window-eviction")
async def test_window_order_and_limit(world: World) -> None:
    """The last messages, oldest first, with updates and deletes in them."""
    await world.snapshot()
    sent = await world.write_many(max(3, world.limits.message_limit - 2))
    for _ in range(2):
        await world.update(sent[len(sent) // 3].id)
        await world.snapshot()
    await world.delete(sent[len(sent) // 2].id)
    await world.delete(sent[-1].id)
    await world.snapshot()
    for _ in range(6):
        await world.write()
        await world.snapshot()


@judges("init/oldest")
async def test_oldest_around_the_limit(world: World) -> None:
    """`oldest` is there exactly when the database holds a whole window or more."""
    await world.snapshot()
    await world.write_many(world.limits.message_limit - 1)
    await world.snapshot()
    first = await world.write()
    await world.snapshot()
    await world.write()
    await world.snapshot()
    await world.delete(first.id)
    await world.snapshot()


@judges("init/oldest", "init/window")
async def test_oldest_after_deletes_and_a_restart(world: World) -> None:
    """What was deleted is not counted by the next life: one message is wanting."""
    sent = await world.write_many(world.limits.message_limit + 1)
    await world.delete(sent[1].id)
    await world.delete(sent[2].id)
    await world.restart(How.TERM)
    await world.snapshot()
    await world.write()
    await world.snapshot()


@judges("init/oldest", "init/window", "history/pages")
async def test_everything_shown_is_deleted(world: World) -> None:
    """An empty window before a database that holds another one, and what comes next."""
    limit = world.limits.message_limit
    sent = await world.write_many(2 * limit)
    for one in sent[limit:]:
        await world.delete(one.id)
        await world.snapshot()
    await world.read_all()
    await world.write()
    await world.read_all()


@judges("init/oldest", "init/window")
async def test_oldest_after_a_restart(world: World) -> None:
    """More than a window is stored; of what the new life shows the first is deleted."""
    await world.write_many(world.limits.message_limit + 5)
    await world.restart(How.TERM)
    await world.seen(await world.write(), world.witness)
    shown = world.witness.view.messages()
    await world.snapshot()
    for message in (shown[0], shown[3]) if len(shown) > 3 else ():
        await world.delete(message.id)
        await world.snapshot()


@judges("init/gapless", "event/no-loss", "converge")
async def test_snapshot_and_stream_under_writes(world: World) -> None:
    """Clients come in while others write; snapshot and stream fit together."""
    await world.write_many(3)
    async with world.writing(60, writers=2):
        for number in range(3):
            await world.client(f"after-{number}", start=Start.SNAPSHOT_FIRST)
            await world.client(f"before-{number}", start=Start.STREAM_FIRST)


@judges("init/no-database-ids", "init/window", "history/not-interactive")
async def test_no_database_id_leaves_the_server(world: World) -> None:
    """Window ids start anew with every life, and pages carry none."""
    alice = await world.client("alice")
    sent = await world.write_many(world.limits.message_limit + 5)
    await world.update(sent[-1].id)
    await world.read_all()
    await world.restart(How.TERM)
    await world.live(alice)
    await world.read_all()
    await world.seen(await world.write(), alice)


@judges("history/pages", "history/not-interactive")
async def test_pages_back_to_the_first_message(world: World) -> None:
    """Paging back gives every message once, as changed, also where timestamps tie."""
    changed, deleted = await world.write_many(2)
    await world.update(changed.id)
    await world.delete(deleted.id)
    async with world.writing(world.limits.message_limit + 230, writers=10):
        pass
    await world.read_all()


@judges("write/interactive-only", "write/window-eviction", "event/no-phantom")
async def test_messages_outside_the_window_are_fixed(world: World) -> None:
    """A message in the window can be changed and deleted, one pushed out cannot."""
    alice = await world.client("alice")
    sent = await world.write_many(world.limits.message_limit + 1)
    await world.update(sent[0].id)
    await world.delete(sent[0].id)
    await world.update(sent[1].id)
    await world.update(sent[1].id)
    await world.delete(sent[2].id)
    await world.update(sent[2].id)
    await world.delete(999_999)
    await world.update(999_999)
    await world.snapshot()
    await world.write_many(2)
    await world.update(sent[1].id)
    await world.snapshot()
    await world.seen(await world.write(), alice)
