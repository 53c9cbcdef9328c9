"""The record of a user in memory: made at the first event, pruned by age, forgotten."""

import asyncio

import pytest

from harness.client.client import Start
from harness.core.errors import NotApplicable
from harness.core.fault import cut
from harness.world import World
from scenarios.cursors import bad_cursors
from scenarios.requirements import PRIVATE, judges

pytestmark = pytest.mark.waits(8)  # they wait for sweeps

MARGIN_S = 0.5
"""Waits end so long past a limit, and begin so long before one."""


def kept_s(world: World) -> float:
    """So long an event is surely kept."""
    return world.limits.retention_ms / 1_000


def swept_s(world: World) -> float:
    """After so long it is surely gone."""
    sweep_ms = world.limits.prune_every_ms + world.tolerances.prune_ms
    return kept_s(world) + sweep_ms / 1_000 + MARGIN_S


@pytest.mark.waits(4)
@judges("resume/within-log", "resume/no-needless-reset", "private/prune")
async def test_kept_as_long_as_declared(world: World) -> None:
    """Just before the retention is over everything is still there."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        missed = await world.write()
        await world.passes(0.8 * kept_s(world) - MARGIN_S)
    await world.seen(missed, alice)
    await world.seen(await world.write(), alice)


@judges("private/prune", "reset/evicted", "reset/once", "reset/before-any-event")
async def test_pruned_after_the_retention(world: World) -> None:
    """A sweep after the retention the events are gone: a reset, then all is well."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.write_many(2)
        await world.outlasts(swept_s(world))
        async with world.writing(5, writers=1):
            await world.probe(header=alice.cursor)
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.inject(cut(alice))
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges(
    "resume/oldest-minus-one",
    "resume/no-needless-reset",
    "reset/evicted",
    "private/prune",
)
async def test_pruned_up_to_the_cursor(world: World) -> None:
    """One client's next event is gone, the other's only its own: reset and resumed."""
    # Most of what both may wait goes to whoever waits for the sweep.
    spare_s = 2 * kept_s(world) - swept_s(world)
    if spare_s < 2 * MARGIN_S:
        raise NotApplicable("swept so seldom that no event outlives the one before it")
    alice = await world.client("alice")
    bob = await world.client("bob")
    await world.seen(await world.write(), alice, bob)
    async with world.away(alice):
        last = await world.write()
        await world.seen(last, bob)
        async with world.away(bob):
            await world.passes(kept_s(world) - spare_s / 4)
            await world.write()
            await world.outlasts(swept_s(world), since=last)
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges("private/prune", "reset/evicted", "converge")
async def test_pruned_whatever_goes_on_around(world: World) -> None:
    """Others write, tabs come back again and again: an event's age is its own."""
    alice = await world.client("alice")
    bob = await world.client("bob")
    await world.write(uid="other")
    deleted = await world.write()
    await world.delete(deleted.id)
    await world.seen(await world.write(), alice, bob)
    async with world.away(alice):
        last = await world.write_many(2)
        async with world.writing(round(2 * swept_s(world)), uid="other", every_s=0.5):
            for _ in range(4):
                await world.passes(swept_s(world) / 4)
                bob.switch()
                await world.live(bob)
            await world.outlasts(swept_s(world), since=last[-1])
    await world.live(alice)
    await world.seen(await world.write(), alice, bob)


@judges("private/prune", "reset/evicted", "reset/once")
async def test_pruned_beside_a_younger_record(world: World) -> None:
    """Another user's record, made before, has younger events only."""
    alice = await world.client("alice")
    await world.write(uid="other")
    await world.passes(2 * world.limits.prune_every_ms / 1_000)  # not in one sweep
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        last = await world.write()
        await world.passes(0.6 * kept_s(world))
        await world.write(uid="other")
        await world.outlasts(swept_s(world), since=last)
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(), alice)


@pytest.mark.limits(prune_every_ms=1_000)  # or five sweeps would be over as well
@judges("private/prune", "reset/evicted", "reset/once")
async def test_pruned_with_no_tab_open(world: World) -> None:
    """Five users close all their tabs: one sweep takes what is old of every one."""
    users = [f"user-{number}" for number in range(1, 6)]
    tabs = [await world.client(user, uid=user) for user in users]
    for user, tab in zip(users, tabs, strict=True):
        await world.seen(await world.write(uid=user), tab)
    async with world.asleep(*tabs):
        for user in users:
            last = await world.write(uid=user)
            await world.seen(last, world.witness_of(user))
        async with world.asleep(*map(world.witness_of, users)):
            # All ten come back at once, which makes the harness late.
            await world.outlasts(swept_s(world) + 2 * MARGIN_S, since=last)
    await world.live(*tabs, *map(world.witness_of, users))
    for user, tab in zip(users, tabs, strict=True):
        await world.seen(await world.write(uid=user), tab)
        await world.seen(await world.write(uid=user), tab)


@judges("reset/record-recreated", "private/prune", "reset/before-any-event")
async def test_record_made_anew_with_the_same_numbers(world: World) -> None:
    """Pruned away and made anew, it counts as far as the old cursor: still a reset."""
    alice = await world.client("alice")
    await world.write_many(2)
    await world.seen(await world.write(), alice)
    async with world.away(alice):
        await world.outlasts(swept_s(world))
        await world.write_many(5)
    await world.live(alice)
    await world.seen(await world.write(), alice)


@pytest.mark.waits(14)
@pytest.mark.parametrize("start", list(Start), ids=("snapshot", "stream"))
@judges("private/record-at-first-event", "reset/fresh-never", "converge")
async def test_opening_a_stream_makes_no_record(world: World, start: Start) -> None:
    """What a client was given at first outlives a sweep or not, events or none."""
    alice = await world.client("alice", start=start)
    async with world.away(alice):
        await world.write()
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.outlasts(swept_s(world))
    bob = await world.client("bob", start=start)
    await world.outlasts(swept_s(world))
    async with world.away(bob):
        await world.write()
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges("event/no-loss", "resume/no-needless-reset", "converge", profiles=PRIVATE)
async def test_messages_older_than_the_record_change(world: World) -> None:
    """What left the record is still in the chat: changes of it make young events."""
    alice = await world.client("alice")
    first, second = await world.write(), await world.write()
    await world.outlasts(swept_s(world))
    await world.seen(await world.update(first.id), alice)
    await world.delete(second.id)
    async with world.away(alice):
        await world.update(first.id)
        await world.passes(world.limits.prune_every_ms / 1_000 + 2 * MARGIN_S)
    await world.live(alice)
    await world.seen(await world.write(), alice)


@judges("resume/no-needless-reset", "event/no-loss", "converge", profiles=PRIVATE)
async def test_no_tab_is_open_for_a_while(world: World) -> None:
    """A record does not hang on streams: it is there for whoever comes back."""
    alice = await world.client("alice")
    await world.seen(await world.write(), alice, world.witness)
    async with world.asleep(alice, world.witness):
        await world.passes(0.5)
        await world.write()
    await world.live(alice, world.witness)
    await world.seen(await world.write(), alice)


@judges("reset/unknown-cursor", "reset/fresh-never", profiles=PRIVATE)
async def test_bad_cursors_where_there_is_no_record(world: World) -> None:
    """A user without any event: no cursor is good, and without one all is well."""
    await world.seen(await world.write(), world.witness)
    cursors = [world.witness.cursor, *bad_cursors(world.witness.cursor)]
    await asyncio.gather(*(world.probe(header=one, uid="other") for one in cursors))
    bob = await world.client("bob", uid="other", start=Start.STREAM_FIRST)
    await world.seen(await world.write(uid="other"), bob)
