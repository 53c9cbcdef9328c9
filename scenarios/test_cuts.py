"""The network cuts, stalls, slows and swallows; nothing may be lost or come twice."""

from contextlib import suppress

import pytest

from harness.arm import How
from harness.core.errors import NotApplicable
from harness.core.fault import (
    Aim,
    Close,
    bandwidth,
    black_hole,
    cut,
    latency,
    lost_acknowledgement,
    partition,
    slices,
    slow_close,
    stall,
)
from harness.world import World
from scenarios.requirements import BROADCAST, judges

DELIVERY = ("event/no-loss", "event/no-duplicate", "converge")


@pytest.mark.parametrize("close", list(Close))
@judges(*DELIVERY, "resume/no-needless-reset")
async def test_cut_in_mid_stream(world: World, close: Close) -> None:
    """A cut between writes (FIN, RST) costs the client nothing."""
    alice = await world.client("alice", close=close)
    await world.seen(await world.write(), alice)
    await world.inject(cut(alice, close=close))
    await world.write_many(3)
    await world.seen(await world.write(), alice)


@judges(*DELIVERY, "event/payload")
async def test_cut_at_every_kind_of_byte(world: World) -> None:
    """A frame cut in two is not applied, and comes whole after the reconnect."""
    alice = await world.client("alice")
    for aim in Aim:
        with suppress(NotApplicable):  # frames without ids, or of ASCII alone
            await world.seen(await world.cut_inside(alice, aim), alice)
    await world.seen(await world.write(), alice)


@judges(*DELIVERY, "resume/no-needless-reset")
async def test_flapping(world: World) -> None:
    """Ten cuts with writes in between."""
    alice = await world.client("alice")
    for _ in range(10):
        await world.write()
        await world.inject(cut(alice))
        await world.write()
    await world.seen(await world.write(), alice)


@judges(*DELIVERY)
async def test_stall_longer_than_a_keepalive(world: World) -> None:
    """The line goes silent for longer than a keep-alive, then everything comes."""
    alice = await world.client("alice")
    async with world.during(stall(alice)):
        sent = await world.write()
        await world.passes(1.5 * world.limits.keepalive_ms / 1_000)
    await world.seen(sent, alice)


@judges(*DELIVERY, "resume/no-needless-reset")
async def test_reconnect_while_the_old_stream_hangs(world: World) -> None:
    """A black hole holds the old stream open; the new one must not suffer from it."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.during(black_hole(alice)):
        await world.write()
        alice.switch()
        await world.live(alice)
        await world.seen(await world.write(), alice)
        alice.switch()
        await world.live(alice)


@judges(*DELIVERY)
async def test_refused_then_back(world: World) -> None:
    """While the client is turned away others write; then it catches up."""
    alice = await world.client("alice")
    async with world.away(alice):
        await world.write_many(5)
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges(*DELIVERY)
async def test_latency(world: World) -> None:
    """Every byte is late, none is lost."""
    alice = await world.client("alice")
    async with world.during(latency(alice, delay_ms=300)):
        await world.write_many(5)
        await world.seen(await world.write(), alice)


@judges(*DELIVERY)
async def test_bandwidth(world: World) -> None:
    """A long message trickles in."""
    alice = await world.client("alice")
    async with world.during(bandwidth(alice, kilobytes_per_s=4)):
        await world.seen(await world.write("long " * 400), alice)


@pytest.mark.waits(4)
@judges(*DELIVERY, "event/payload")
async def test_slices_of_one_to_seven_bytes(world: World) -> None:
    """Frames arrive a few bytes at a time, cut inside lines and characters."""
    alice = await world.client("alice")
    for slice_bytes in (1, 2, 3, 5, 7):
        async with world.during(slices(alice, slice_bytes=slice_bytes)):
            await world.write()
            await world.seen(await world.write(), alice)


@pytest.mark.waits(5)
@judges(*DELIVERY, "event/no-phantom")
async def test_lost_acknowledgement(world: World) -> None:
    """The write is carried out, its answer is lost: one event, for everybody."""
    alice = await world.client("alice")
    bob = await world.client("bob")
    async with world.during(lost_acknowledgement(alice)):
        await world.write(by=alice)
    await world.live(alice)
    await world.seen(await world.write(), alice, bob)


@judges(*DELIVERY)
async def test_half_the_clients_partitioned(world: World) -> None:
    """Two of four tabs lose the network while the others go on."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol", "dave")]
    async with world.during(partition(*tabs[:2])):
        await world.write_many(5)
        await world.seen(await world.write(), *tabs[2:])
    await world.live(*tabs)
    await world.seen(await world.write(), *tabs)


@judges("converge", "reset/restart", profiles=BROADCAST)
async def test_slow_close(world: World) -> None:
    """One client learns late that the server has died, when it is long back."""
    alice = await world.client("alice")
    bob = await world.client("bob")
    await world.seen(await world.write(), alice, bob)
    async with world.during(slow_close(alice, delay_ms=1_500)):
        await world.restart(How.KILL)
        await world.live(bob)
        await world.seen(await world.write(), bob)
    await world.live(alice)
    await world.seen(await world.write(), alice, bob)


@judges("event/no-loss", "converge")
async def test_frozen_shorter_than_the_ping_limit(world: World) -> None:
    """SIGSTOP and SIGCONT: the server slept, and nobody was dropped for it."""
    alice = await world.client("alice")
    await world.write()
    async with world.paused():
        await world.passes(0.6 * world.limits.ping_grace_ms / 1_000)
    await world.seen(await world.write(), alice)
