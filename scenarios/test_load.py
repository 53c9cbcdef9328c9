"""Many clients, slow ones, vanishing ones: nobody else may notice."""

import pytest

from harness.arm import Bare, How
from harness.client.client import VirtualClient
from harness.core.errors import NotApplicable
from harness.core.fault import Close, cut, partition, stall
from harness.core.usage import Moment, Usage
from harness.swarm import Swarm
from harness.world import World
from scenarios.requirements import ALL, WINDOWED, judges

OTHERS, BEFORE = 2, 30
HERD = 28
VANISHING = 8
"""So many of each kind by default; the nightly cases have the real numbers."""

SELDOM = {"ping_interval_ms": 5_000, "ping_grace_ms": 5_000}
"""Pings of the nightly crowds: a thousand a second are more than we can send."""

IDLE_S = 2.0
"""What a first crowd has left behind after this is taken for pools and caches."""

SPARE_S = 2.0
"""What is still there is measured for so much longer than it may be there."""

EVENT = "unread " * 1_000
"""About 7 KB: the kernel's buffers are soon full."""

BATCH = 10
KERNEL_EVENTS, MOST_EVENTS = 650, 2_000
"""More of this size than a socket's buffer can hold (4 MiB); what a client can bear."""

LARGE = "😀" * 5_000
FILLING, TO_NOBODY = 60, 120
"""So many events of 20 KB fill the caches; so many more may not stay anywhere.

With every character escaped it is 60 KB, and a client bears 16 MiB on a connection."""


@judges("load/slow-reader", "event/no-loss", "converge", profiles=ALL)
async def test_slow_reader(world: World) -> None:
    """One client stops reading while others get everything, and is ended for it."""
    await slow_reader(world, others=OTHERS, before=BEFORE)


@pytest.mark.nightly(alone=True)
@pytest.mark.limits(**SELDOM)
@judges("load/slow-reader", "event/no-loss", "converge", profiles=ALL)
async def test_slow_reader_among_many(world: World) -> None:
    """One of two hundred stops reading; the others get two thousand events."""
    await slow_reader(world, others=200, before=200, after=1_800)


@judges("load/herd", "converge", profiles=ALL)
async def test_herd(world: World) -> None:
    """Everybody comes back at once after a restart."""
    await herd(world, HERD)


@pytest.mark.nightly(alone=True)
@judges("load/herd", "converge", profiles=ALL)
async def test_herd_of_500(world: World) -> None:
    """Five hundred come back at once after a restart."""
    await herd(world, 500)


@pytest.mark.waits(10)
@judges("load/no-leak", profiles=ALL)
async def test_clients_vanish(world: World) -> None:
    """Clients vanish by FIN, RST and into a black hole; nothing stays behind."""
    await vanish(world, VANISHING)


@judges("load/no-leak", profiles=WINDOWED)
async def test_events_after_clients_vanished(world: World) -> None:
    """Clients vanish, and what is sent afterwards is not kept for them."""
    fresh = await world.meter.read(Moment.FRESH, needed=True)
    if fresh.rss_bytes is None and fresh.objects is None:
        raise NotApplicable("nobody can tell how much memory this target holds")
    for name, close in (("fin", Close.FIN), ("rst", Close.RST)):
        crowd = await world.crowds.open(name, VANISHING // 2, close=close)
        await world.inject(cut(*crowd.members, close=close))
        await world.crowds.leave(crowd)
    for count, moment in ((FILLING, Moment.FILLED), (TO_NOBODY, Moment.LEFT)):
        for _ in range(count):
            await world.write(f"{world.number()} {LARGE}")
        await world.meter.read(moment)


@pytest.mark.nightly(alone=True)
@pytest.mark.limits(**SELDOM)
@judges("load/no-leak", profiles=ALL)
async def test_a_thousand_clients_vanish(world: World) -> None:
    """A thousand vanish, a third in each way."""
    await vanish(world, 334)


async def slow_reader(
    world: World, *, others: int, before: int, after: int = 0
) -> None:
    """Let events flow, stop one reader until it is ended, let it come back.

    `after` are small events that come while it still does not read.
    """
    crowd = await world.crowds.open("other", others)
    await pour(world, before, crowd)
    # A connection that has carried much by then has a large buffer at the server's end.
    slow = await world.client("slow", bare=Bare.NARROW)
    late = await world.client("late")
    # What they were told of the past on joining is in memory, and none of the stall's.
    await world.meter.read(Moment.WARM)
    async with world.during(stall(slow)):
        enough = min(KERNEL_EVENTS + world.load.backlog_events, MOST_EVENTS)
        for _ in range(0, enough, BATCH):
            await pour(world, BATCH, crowd)
            if await is_gone(world, slow):
                break
        await world.meter.read(Moment.FULL)
        await pour(world, after, crowd, text="small")
    await world.seen(await world.write(), slow, late)


async def pour(world: World, count: int, crowd: Swarm, text: str = EVENT) -> None:
    """Write large messages, each when the one before has reached everybody."""
    for _ in range(count):
        sent = await world.write(f"{world.number()} {text}")
        await world.crowds.seen(sent, crowd)


async def is_gone(world: World, client: VirtualClient) -> bool:
    """Whether the server has ended this client's stream: it refuses its pings."""
    answer = (await world.ping(client.connection_id)).answer
    return answer is not None and answer.status == 404


async def herd(world: World, size: int) -> None:
    """A crowd is there, the server restarts, all of them come back in one instant."""
    crowd = await world.crowds.open("one", size)
    await world.crowds.seen(await world.write(), crowd)
    await world.crowds.leave(crowd)
    await world.restart(How.KILL)
    crowd.open()
    await world.crowds.live(crowd)
    await world.crowds.seen(await world.write(), crowd)


async def vanish(world: World, each: int) -> None:
    """A first crowd warms the target up; of a second one nothing may stay.

    Where something does, once more: a pool is full after the first time, and what
    leaks leaks again.
    """
    await world.write()
    fresh = await world.meter.read(Moment.FRESH, needed=True)
    first = await world.crowds.open("first", 3 * each)
    await world.crowds.leave(first)
    await world.write()
    if not await nothing_stays(world, each, "once", fresh):
        await nothing_stays(world, each, "again", fresh)


async def nothing_stays(world: World, each: int, when: str, fresh: Usage) -> bool:
    """Three crowds vanish, each in its way; whether all was soon as before."""
    await world.meter.until(
        Moment.WARM,
        lambda now: no_more(now.connections, fresh.connections),
        within_s=IDLE_S,
    )
    warm = await world.meter.read(Moment.WARM)
    fins = await world.crowds.open(f"fin-{when}", each)
    rsts = await world.crowds.open(f"rst-{when}", each, close=Close.RST)
    lost = await world.crowds.open(f"lost-{when}", each)
    await world.meter.read(Moment.FULL)
    await world.crowds.hang(lost)
    async with world.during(partition(*lost.members)):
        for crowd, close in ((fins, Close.FIN), (rsts, Close.RST)):
            await world.inject(cut(*crowd.members, close=close))
            await world.crowds.leave(crowd)
        await world.write()
        limits, tolerances = world.limits, world.tolerances
        patience_ms = limits.ping_interval_ms + limits.ping_grace_ms
        patience_ms += tolerances.ping_ms + tolerances.settle_ms
        back = await world.meter.until(
            Moment.LEFT,
            lambda now: is_back(now, warm, world.load.memory_mb),
            within_s=patience_ms / 1_000 + SPARE_S,
        )
        await world.crowds.leave(lost)
    return back


def is_back(now: Usage, then: Usage, memory_mb: int) -> bool:
    """Whether no count is higher than it was, and memory no more than it may be."""
    grown = (now.rss_bytes or 0) - (then.rss_bytes or 0)
    return (
        grown <= memory_mb << 20
        and no_more(now.connections, then.connections)
        and no_more(now.fds, then.fds)
        and no_more(now.threads, then.threads)
        and no_more(now.tasks, then.tasks)
    )


def no_more(now: int | None, then: int | None) -> bool:
    """Whether it is what it was, or hardly more; what nobody can tell is."""
    return now is None or then is None or now <= then + 1
