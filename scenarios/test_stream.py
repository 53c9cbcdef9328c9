"""What every stream owes its client from the first byte on."""

import pytest

from harness.arm import How
from harness.client.client import Start
from harness.texts import TEXTS
from harness.world import World
from scenarios.requirements import ALL, judges


@judges("stream/content-type", "stream/first-frame-ping", "stream/no-store")
async def test_first_frame_and_headers(world: World) -> None:
    """A stream says what it is and begins with a ping, also before a replay."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.write_many(2)
    await world.live(alice)


@pytest.mark.waits(4)
@judges("stream/keepalive", "event/has-id", profiles=ALL)
async def test_idle_stream_is_kept_alive(world: World) -> None:
    """Nobody writes, yet bytes come at least every keep-alive interval."""
    alice = await world.client("alice")
    async with world.away(alice):
        await world.write()
    await world.live(alice)
    await world.passes(3.5 * world.limits.keepalive_ms / 1_000)
    await world.seen(await world.write(), alice)


@judges("stream/registered-before-ping", "event/no-loss")
async def test_write_the_moment_after_the_ping_frame(world: World) -> None:
    """Who has seen the ping frame gets what is written from then on."""
    for name in ("alice", "bob", "carol"):
        client = await world.client(name, start=Start.STREAM_FIRST)
        await world.seen(await world.write(), client)


@pytest.mark.waits(2)
@judges(
    "event/order",
    "event/has-id",
    "event/no-loss",
    "event/no-duplicate",
    "event/no-phantom",
    "event/payload",
    "converge",
    profiles=ALL,
)
async def test_three_clients_see_one_order(world: World) -> None:
    """Creates, updates and deletes from three tabs reach all in one order."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol")]
    for tab in tabs:
        first, second = await world.write(by=tab), await world.write()
        if world.changes:
            await world.update(first.id, by=tab)
            await world.delete(second.id, by=tab)
    last = await world.write()
    await world.seen(last, *tabs)
    if world.changes:
        await world.delete(last.id)


@judges("event/order", "event/no-loss", "event/no-duplicate", "converge")
async def test_many_writers_at_once(world: World) -> None:
    """Five writers at once, and still one order for everybody."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol")]
    async with world.writing(60, writers=5):
        pass
    await world.seen(await world.write(), *tabs)


@judges("event/payload", "event/no-loss", "write/durable", "converge", profiles=ALL)
async def test_texts_of_every_kind(world: World) -> None:
    """As it was sent: live, in a replay, in a snapshot, in pages, and after a kill."""
    alice = await world.client("alice")
    for text in TEXTS.values():
        await world.seen(await world.write(f"{world.number()} {text}"), alice)
    async with world.away(alice):
        missed = [
            await world.write(f"{text} {world.number()}") for text in TEXTS.values()
        ]
        await world.passes(0.5)  # for commits that come late
    await world.seen(missed[-1], alice)
    await world.write(by="b" * 200)
    await world.read_all()
    await world.write()  # acknowledged as late as can be
    await world.restart(How.KILL)
    await world.read_all()
