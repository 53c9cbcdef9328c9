"""Reconnects that must be answered with exactly what was missed."""

from harness.client.client import Start
from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import judges


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
        sent = await world.write_many(12)
        await world.update(sent[0].id)
        changed = await world.update(sent[0].id)
        await world.delete(sent[1].id)
    await world.seen(changed, alice)
    await world.seen(await world.write(), alice)


@judges("resume/oldest-minus-one", "resume/no-needless-reset")
async def test_exactly_the_log_missed(world: World) -> None:
    """The cursor's own event is gone, the next is the oldest kept: resumed in full."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        missed = await world.write_many(world.limits.event_log_limit)
    await world.seen(missed[-1], alice)
    await world.seen(await world.write(), alice)


@judges("resume/replay-live-join", "event/no-loss", "event/no-duplicate")
async def test_write_storm_while_a_replay_runs(world: World) -> None:
    """Replay and live events join without a gap and without a repeat."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    for _ in range(3):
        async with world.away(alice):
            await world.write_many(8)
        async with world.writing(40, writers=1, pace_s=0.01):
            await world.live(alice)
        await world.seen(await world.write(), alice)


@judges("event/logged-before-sent", "event/no-loss", "resume/no-needless-reset")
async def test_cut_right_on_an_event_and_resumed_at_once(world: World) -> None:
    """An event that was seen can be resumed from at once."""
    alice = await world.client("alice")
    for _ in range(5):
        await world.seen(await world.write(), alice)
        alice.switch()
        await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("resume/header-wins")
async def test_header_against_query(world: World) -> None:
    """A browser keeps its URL's cursor and adds a newer one: the header wins."""
    alice = await world.client("alice", start=Start.SNAPSHOT_FIRST)
    for _ in range(4):
        await world.seen(await world.write(), alice)
    await world.inject(cut(alice))
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("resume/within-log", "event/order", "event/no-loss")
async def test_resume_over_a_tenth_and_a_hundredth_event(world: World) -> None:
    """Positions are numbers: 9 comes before 10 and 99 before 100."""
    alice = await world.client("alice")
    for count in (6, 8, 40, 45, 6):
        await world.seen(await world.write(), alice)
        async with world.away(alice):
            missed = await world.write_many(count)
        await world.seen(missed[-1], alice)
