"""Reconnects that must be answered with exactly what was missed."""

from harness.client.client import Start
from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import BROADCAST, judges


def missable(world: World, count: int, *, beside: int = 1) -> int:
    """So many events may be missed, with others beside them, and still be kept."""
    kept = world.limits.event_log_limit
    return max(2, min(count, kept - beside - 1)) if kept else count


@judges("resume/at-head", "resume/no-needless-reset", "reset/fresh-never")
async def test_at_head(world: World) -> None:
    """Who missed nothing gets nothing again, and no reset."""
    alice = await world.client("alice")
    bob = await world.client("bob", start=Start.STREAM_FIRST)
    for _ in range(3):
        await world.seen(await world.write(), alice, bob)
        await world.inject(cut(alice))
        await world.inject(cut(bob))
        await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges(
    "resume/within-log", "resume/no-needless-reset", "event/payload", "event/has-id"
)
async def test_missed_events_are_replayed(world: World) -> None:
    """A client that was away gets what it missed, as everybody else got it."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        sent = await world.write_many(missable(world, 12, beside=5))
        if world.changes:
            await world.update(sent[0].id)
            await world.update(sent[0].id)
            await world.update(sent[1].id)
            await world.delete(sent[1].id)
    await world.seen(await world.write(), alice)


@judges(
    *("resume/oldest-minus-one", "resume/within-log", "resume/no-needless-reset"),
    profiles=BROADCAST,
)
async def test_exactly_the_log_missed(world: World) -> None:
    """The cursor's own event is gone, the next is the oldest kept: resumed in full.

    Before that the cursor's own event is the oldest kept.
    """
    alice = await world.client("alice")
    limit = world.limits.event_log_limit
    for count in (limit - 1, limit):
        await world.seen(await world.write(), alice)
        async with world.away(alice):
            missed = await world.write_many(count)
        await world.seen(missed[-1], alice)
    await world.seen(await world.write(), alice)


@judges("resume/replay-live-join", "event/no-loss", "event/no-duplicate")
async def test_write_storm_while_a_replay_runs(world: World) -> None:
    """Replay and live events join without a gap and without a repeat."""
    tabs = [await world.client(name) for name in ("alice", "bob", "carol", "dave")]
    await world.seen(await world.write(), *tabs)
    for _ in range(3):
        async with world.writing(50, every_s=0.01):
            for tab in tabs:
                async with world.asleep(tab):
                    await world.passes(0.03)
                await world.live(tab)
        await world.seen(await world.write(), *tabs)


@judges("event/logged-before-sent", "event/no-loss", "resume/no-needless-reset")
async def test_cut_right_on_an_event_and_resumed_at_once(world: World) -> None:
    """An event that was seen can be resumed from at once, and a moment later."""
    alice = await world.client("alice")
    for number in range(5):
        await world.seen(await world.write(), alice)
        await world.passes(0.0 if number else 0.7)
        alice.switch()
        await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("resume/header-wins")
async def test_header_against_query(world: World) -> None:
    """A browser keeps its URL's cursor and adds another one: the header wins."""
    cursors = []
    for _ in range(4):
        await world.seen(await world.write(), world.witness)
        cursors.append(world.witness.cursor)
    await world.probe(header=cursors[1], query=cursors[0], until_event=True)
    await world.probe(header=cursors[0], query=cursors[2], until_event=True)


@judges("resume/within-log", "resume/no-needless-reset", "event/order", "event/no-loss")
async def test_resume_over_a_tenth_and_a_hundredth_event(world: World) -> None:
    """Positions are numbers: 9 comes before 10 and 99 before 100."""
    alice = await world.client("alice")
    for count in (6, 8, 40, 45, 6):
        await world.seen(await world.write(), alice)
        async with world.away(alice):
            missed = await world.write_many(missable(world, count))
        await world.seen(missed[-1], alice)
