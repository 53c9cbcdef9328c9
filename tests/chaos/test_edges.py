"""Edges on histories made by hand: each reached by its own, and not by a plain one."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.chaos.edges import EDGES, edges, edges_for
from harness.chaos.phases import Phase, reached
from harness.core.fault import Fault, FaultKind
from harness.core.history import (
    WITNESS,
    AnyRecord,
    Closed,
    CloseKind,
    F,
    Frame,
    Info,
    Invoke,
    LifePhase,
    Ok,
    Opened,
    Request,
    Responded,
    witness_of,
)
from harness.core.profile import Profile
from tests.checkers.personal import U2, Personal
from tests.checkers.story import GOOD_HEADERS, Edit, Story, Stream, change

PING = 'event: ping\ndata: {"id":"x","interval":1000}\n\n'
LOG = 10


def opened(**fields: Any) -> tuple[Story, Stream]:
    """The witness and alice are there."""
    story = Story(log_limit=LOG, **fields)
    story.begin()
    return story, story.begin("alice")


def gone(missed: int, **fields: Any) -> Story:
    """Alice was cut off, and so many messages have been written since."""
    story, alice = opened(**fields)
    story.create()
    story.cut(alice)
    for _ in range(missed):
        story.create()
    return story


def back(missed: int) -> Story:
    story = gone(missed)
    story.resume("alice")
    return story


def half(story: Story, who: str, *frames: str, headers: bool = True) -> Stream:
    """A stream of which only the beginning came."""
    number = sum(isinstance(r, Opened) for r in story.records) + 1
    stream = Stream(number, who, story.cursors[who], f"c{number}")
    story.streams.append(stream)
    story.add(Opened, conn=number, who=who, header=story.cursors[who])
    if headers:
        story.add(Responded, conn=number, status=200, headers=dict(GOOD_HEADERS))
    for text in frames:
        story.frame(stream, text)
    return stream


def cut(tail: str) -> Story:
    """Alice is cut with so much of a frame come through."""
    story, alice = opened()
    story.cut(alice)
    return edited(story, change(Closed, lambda r: r.conn == alice.number, tail=tail))


def edited(story: Story, edit: Edit) -> Story:
    story.records = edit(story.records)
    return story


def cut_half(story: Story, *frames: str, headers: bool = True) -> Story:
    story.cut(half(story, "alice", *frames, headers=headers))
    return story


def first_missed(story: Story) -> str:
    """The first event that alice has missed."""
    return story.server.log[1][1]


def in_flight(story: Story, text: str = "hanging") -> Callable[[], int]:
    """A write that is under way until what this gives back is called."""
    body = f'{{"author": "a", "text": "{text}"}}'
    call = story.add(
        Invoke,
        who="writer",
        f=F.CREATE,
        text=text,
        nonce=text,
        request=Request(method="POST", path="/", body=body),
    )
    return lambda: story.add(Info, call=call, error="timeout")


def two_cut() -> Story:
    story, alice = opened()
    bob = story.begin("bob")
    story.cut(alice)
    story.cut(bob)
    return story


def cut_twice() -> Story:
    story = back(0)
    story.cut(story.streams[-1])
    return story


def two_reset() -> Story:
    story = two_cut()
    for _ in range(LOG + 1):
        story.create()
    story.resume("alice")
    story.resume("bob")
    return story


def reset_among_writes() -> Story:
    story = gone(LOG + 1)
    done = in_flight(story)
    story.resume("alice")
    done()
    return story


def reset_after(replayed: bool) -> Story:
    story = gone(3)
    if replayed:
        story.cut(story.resume("alice"))
    else:
        cut_half(story, PING, first_missed(story))
    for _ in range(LOG + 1):
        story.create()
    story.resume("alice")
    return story


def reset_twice() -> Story:
    story = back(LOG + 1)
    story.cut(story.begin("alice"))
    for _ in range(LOG + 1):
        story.create()
    story.resume("alice")
    return story


def restarted(how: str = "kill", *, lives: int = 1, writes: int = 0) -> Story:
    """Alice comes back into a later life that has made so many events."""
    story, _ = opened()
    story.create()
    for _ in range(lives):
        story.restart(how)
    for _ in range(writes):
        story.create()
    story.resume("alice")
    return story


def ended_full(created: int, **fields: Any) -> Story:
    story, _ = opened(**fields)
    for _ in range(created):
        story.create()
    story.restart()
    return story


def ended_in_burst() -> Story:
    story, _ = opened()
    done = [in_flight(story, "one"), in_flight(story, "two")]
    story.stop()
    for end in done:
        end()
    story.server.restart()
    return begun(story)


def begun(story: Story) -> Story:
    """The next life: started, ready, the witness there."""
    story.life(LifePhase.STARTED)
    story.life(LifePhase.READY)
    story.resume(WITNESS)
    story.begin()
    return story


def cut_off(kept: bool) -> Story:
    story, _ = opened()
    done = in_flight(story)
    story.stop()
    done()
    if kept:
        value = {"author": "a", "text": "hanging", "createdAt": 1, "nonce": "hanging"}
        story.server.store.append({"id": 1, "value": value})
    story.server.restart()
    return begun(story)


def ended_in_replay() -> Story:
    story = gone(3)
    half(story, "alice", PING, first_missed(story))
    story.restart()
    return story


def under(*faults: FaultKind, wait_s: float = 0.1, restart: bool = False) -> Story:
    """These faults lay on alice at once."""
    story, _ = opened()
    heals = [story.fault(kind, "alice") for kind in faults]
    story.wait(wait_s)
    if restart:
        story.restart()
    for heal in heals:
        heal()
    return story


def overlapping_on_two() -> Story:
    story, _ = opened()
    story.begin("bob")
    heals = [story.fault(FaultKind.STALL, who) for who in ("alice", "bob")]
    for heal in heals:
        heal()
    return story


def refused() -> Story:
    story = gone(0)
    stream = half(story, "alice", headers=False)
    story.close(stream, CloseKind.REFUSED)
    return story


def windowed(created: int, then: Callable[[Story], object] | None = None) -> Story:
    """A window of two, and so many messages."""
    story, _ = opened(message_limit=2)
    for _ in range(created):
        story.create()
    if then is not None:
        then(story)
    return story


def deleted_again(story: Story) -> None:
    story.delete(1)
    story.update(1)


def concurrent() -> Story:
    story, _ = opened()
    done = [in_flight(story, "one"), in_flight(story, "two")]
    for end in done:
        end()
    return story


def large() -> Story:
    story, _ = opened()
    story.create()
    text = "x" * 5_000
    return edited(story, change(Invoke, lambda r: r.f is F.CREATE, text=text))


def bad_input() -> Story:
    story, _ = opened()
    story.bad_input()
    return story


def two_of_one() -> Story:
    story, _ = opened()
    story.resume("alice")
    return story


def silent() -> Story:
    story, _ = opened()
    story.close(story.open("mute", pings=False), CloseKind.END)
    return story


def joined() -> Story:
    story = gone(2)
    done = in_flight(story)
    story.resume("alice")
    done()
    return story


def snapshot_first() -> Story:
    story, _ = opened()
    cursor = story.init("bob")["cursor"]
    story.create()
    story.open("bob", query=cursor)
    return story


def stream_first() -> Story:
    story, _ = opened()
    story.open("bob")
    story.create()
    story.init("bob")
    return story


def pinged(closed: bool) -> Story:
    story, alice = opened()
    story.cut(alice)
    story.ping("pinger", alice.ping_id if closed else "none")
    return story


def probed(header: str | None, query: str | None = None, *, lives: int = 0) -> Story:
    """A probe after twelve events in a log of ten."""
    story, _ = opened()
    for _ in range(12):
        story.create()
    for _ in range(lives):
        story.restart()
    story.open("probe-1", header=header, query=query)
    return story


def swept(*, before: int = 0, after: int = 0, wait_s: float = 4.5) -> Story:
    """Alice is away while a sweep goes by, before or after which somebody writes."""
    it = Personal()
    alice = it.begin("alice")
    it.post()
    it.cut(alice)
    for _ in range(before):
        it.post()
    it.wait(wait_s)
    for _ in range(after):
        it.post()
    it.resume("alice")
    return it


def two_users() -> Story:
    it = Personal()
    it.open(witness_of("other"), uid=U2)
    it.post()
    it.post(uid=U2)
    return it


REACHED: dict[str, Callable[[], Story]] = {
    "missed/none": lambda: back(0),
    "missed/log-minus-one": lambda: back(LOG - 1),
    "missed/log": lambda: back(LOG),
    "missed/log-plus-one": lambda: back(LOG + 1),
    "cut/between-frames": lambda: cut(""),
    "cut/inside-the-event-line": lambda: cut("event: cre"),
    "cut/inside-the-id-line": lambda: cut("event: create\nid: e"),
    "cut/inside-the-data-line": lambda: cut("event: create\nid: e1-1\ndata: {"),
    "cut/inside-a-utf-8-character": lambda: cut("event: create\ndata: \\xc3"),
    "cut/before-the-blank-line": lambda: cut("event: create\ndata: {}\n"),
    "cut/before-headers": lambda: cut_half(gone(0), headers=False),
    "cut/in-ping-frame": lambda: cut_half(gone(0)),
    "cut/in-replay": lambda: cut_half(gone(2), PING),
    "cut/in-reset": lambda: cut_half(gone(LOG + 1), PING),
    "cut/again-at-once": cut_twice,
    "cut/two-at-once": two_cut,
    "reset/seen": lambda: back(LOG + 1),
    "reset/two-at-once": two_reset,
    "reset/among-writes": reset_among_writes,
    "reset/after-cut-replay": lambda: reset_after(replayed=False),
    "reset/after-replay": lambda: reset_after(replayed=True),
    "reset/twice": reset_twice,
    "record/pruned": lambda: swept(before=1),
    "record/made-anew": lambda: swept(after=3),
    "restart/term": lambda: restarted("term"),
    "restart/kill": restarted,
    "restart/stale-cursor": restarted,
    "restart/reused-ids": lambda: restarted(writes=2),
    "restart/two-lives-ago": lambda: restarted(lives=2),
    "restart/log-full": lambda: ended_full(LOG),
    "restart/window-full": lambda: ended_full(2, message_limit=2),
    "restart/in-burst": ended_in_burst,
    "restart/while-away": lambda: under(FaultKind.REFUSE, restart=True),
    "restart/in-replay": ended_in_replay,
    "restart/write-kept": lambda: cut_off(kept=True),
    "restart/write-lost": lambda: cut_off(kept=False),
    "restart/committed-unsent": lambda: cut_off(kept=True),
    "write/window-slides": lambda: windowed(3),
    "write/evicted-update": lambda: windowed(3, lambda story: story.update(1)),
    "write/evicted-delete": lambda: windowed(3, lambda story: story.delete(1)),
    "write/deleted-again": lambda: windowed(2, deleted_again),
    "write/last-interactive": lambda: windowed(2, lambda story: story.update(1)),
    "write/concurrent": concurrent,
    "write/lost-acknowledgement": lambda: under(FaultKind.LOST_ACK),
    "write/large": large,
    "write/bad-input": bad_input,
    "history/walk": lambda: windowed(4, lambda story: story.walk()),
    "fault/refused-while-up": refused,
    "fault/stall": lambda: under(FaultKind.STALL),
    "fault/black-hole": lambda: under(FaultKind.BLACK_HOLE),
    "fault/partition": lambda: under(FaultKind.PARTITION),
    "fault/latency": lambda: under(FaultKind.LATENCY),
    "fault/bandwidth": lambda: under(FaultKind.BANDWIDTH),
    "fault/slice": lambda: under(FaultKind.SLICE),
    "fault/slow-close": lambda: under(FaultKind.SLOW_CLOSE),
    "fault/pause": lambda: under(FaultKind.PAUSE),
    "fault/pause-past-pings": lambda: under(FaultKind.PAUSE, wait_s=2.5),
    "fault/overlap": overlapping_on_two,
    "fault/overlap-on-one": lambda: under(FaultKind.STALL, FaultKind.LATENCY),
    "fault/restart-under": lambda: under(FaultKind.STALL, restart=True),
    "users/two": two_users,
    "stream/two-of-one": two_of_one,
    "stream/silence-dropped": silent,
    "stream/join": joined,
    "stream/snapshot-first": snapshot_first,
    "stream/stream-first": stream_first,
    "ping/unknown": lambda: pinged(closed=False),
    "ping/closed": lambda: pinged(closed=True),
    "cursor/head": lambda: probed("e1-12"),
    "cursor/old": lambda: probed("e1-2"),
    "cursor/evicted": lambda: probed("e1-1"),
    "cursor/earlier-life": lambda: probed("e1-12", lives=1),
    "cursor/future": lambda: probed("e1-13"),
    "cursor/foreign": lambda: probed("f1-3"),
    "cursor/malformed": lambda: probed("garbage"),
    "cursor/in-query": lambda: probed(None, "e1-12"),
    "cursor/header-against-query": lambda: probed("e1-2", "e1-12"),
}
NEAR: dict[str, Callable[[], Story]] = {
    "missed/none": lambda: back(1),
    "missed/log-minus-one": lambda: back(LOG),
    "missed/log": lambda: back(LOG + 1),
    "missed/log-plus-one": lambda: back(LOG),
    "cut/in-replay": lambda: cut_half(gone(0), PING),
    "cut/in-reset": lambda: cut_half(gone(LOG), PING),
    "reset/seen": lambda: back(LOG),
    "reset/after-cut-replay": lambda: reset_after(replayed=True),
    "reset/after-replay": lambda: reset_after(replayed=False),
    "reset/twice": lambda: back(LOG + 1),
    "record/pruned": lambda: swept(before=1, wait_s=1),
    "record/made-anew": lambda: swept(after=3, wait_s=1),
    "users/two": lambda: swept(after=3),
    "restart/term": restarted,
    "restart/kill": lambda: restarted("term"),
    "restart/reused-ids": restarted,
    "restart/two-lives-ago": restarted,
    "restart/log-full": lambda: ended_full(LOG - 1),
    "restart/window-full": lambda: ended_full(1, message_limit=2),
    "restart/write-kept": lambda: cut_off(kept=False),
    "restart/write-lost": lambda: cut_off(kept=True),
    "write/evicted-update": lambda: windowed(2, lambda story: story.update(1)),
    "write/last-interactive": lambda: windowed(2, lambda story: story.update(2)),
    "fault/pause-past-pings": lambda: under(FaultKind.PAUSE, wait_s=1.5),
    "fault/overlap-on-one": overlapping_on_two,
    "cursor/evicted": lambda: probed("e1-2"),
    "cursor/future": lambda: probed("e1-12"),
    "cursor/foreign": lambda: probed("e1-13"),
    "cursor/header-against-query": lambda: probed("e1-2", "e1-2"),
}
"""What lies right beside an edge does not reach it."""


def plain() -> Story:
    story, _ = opened()
    story.create()
    return story


def test_every_edge_has_a_history() -> None:
    assert set(REACHED) == set(EDGES)


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_is_reached_by_its_own_history(edge: str) -> None:
    assert edges(REACHED[edge]().end(settle=False).history())[edge] >= 1


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_is_not_reached_beside_it(edge: str) -> None:
    story = NEAR.get(edge, plain)().end(settle=False)
    assert edges(story.history())[edge] == 0


def phases_of(story: Story, kind: FaultKind) -> set[Phase]:
    return {phase for one, phase in reached(story.history()) if one is kind}


def in_frame() -> Story:
    """A stall begins while a frame of alice's is half there."""
    story, alice = opened()
    heal = story.fault(FaultKind.STALL, "alice")
    number = alice.number
    story.add(Frame, conn=number, offset=99, text=": x\n\n", began_s=story.t_s - 0.005)
    heal()
    return story


def stalled(story: Story) -> Story:
    heal = story.fault(FaultKind.STALL, "alice")
    story.wait(0.4)
    heal()
    return story


def while_waiting() -> Story:
    story, _ = opened()
    story.t_s += 2
    return stalled(story)


def replaying() -> Story:
    story = gone(2)
    half(story, "alice", PING)
    return stalled(story)


def asking() -> Story:
    story = gone(2)
    half(story, "alice", headers=False)
    return stalled(story)


@pytest.mark.parametrize(
    ("story", "kind", "phase"),
    [
        (lambda: under(FaultKind.STALL), FaultKind.STALL, Phase.BETWEEN_FRAMES),
        (in_frame, FaultKind.STALL, Phase.INSIDE_A_FRAME),
        (while_waiting, FaultKind.STALL, Phase.IDLE),
        (replaying, FaultKind.STALL, Phase.REPLAY),
        (asking, FaultKind.STALL, Phase.BEFORE_HEADERS),
        (lambda: cut("event: cre"), FaultKind.CUT, Phase.INSIDE_A_FRAME),
        (lambda: cut(""), FaultKind.CUT, Phase.BETWEEN_FRAMES),
        (lambda: cut_half(gone(2), PING), FaultKind.CUT, Phase.REPLAY),
        (
            lambda: cut_half(gone(0), headers=False),
            FaultKind.CUT,
            Phase.BEFORE_HEADERS,
        ),
    ],
)
def test_the_phase_that_a_fault_met(
    story: Callable[[], Story], kind: FaultKind, phase: Phase
) -> None:
    assert phase in phases_of(story(), kind)


def test_a_refused_connection_was_connecting() -> None:
    story = gone(0)
    heal = story.fault(FaultKind.REFUSE, "alice")
    story.close(half(story, "alice", headers=False), CloseKind.REFUSED)
    heal()
    assert phases_of(story, FaultKind.REFUSE) == {Phase.CONNECTING}


def test_a_fault_without_effect_met_nothing() -> None:
    story, _ = opened()
    story.fault(FaultKind.STALL, "alice", effect=False)()
    assert reached(story.history()) == set()
    assert edges(story.history())["fault/stall"] == 0


def test_every_edge_is_of_some_profile_and_none_of_those_has_all() -> None:
    of = {profile: set(edges_for([profile])) for profile in Profile}
    assert set.union(*of.values()) == set(EDGES) == set(edges_for(list(Profile)))
    assert all(names < set(EDGES) for names in of.values())
    assert not any(name.startswith("cursor/") for name in of[Profile.NAIVE])


def without(records: list[AnyRecord], kind: type) -> list[AnyRecord]:
    return [record for record in records if not isinstance(record, kind)]


@pytest.mark.parametrize("kind", [Opened, Closed, Ok, Invoke, Frame])
def test_histories_with_holes_do_no_harm(kind: type) -> None:
    for make in (two_reset, restarted, joined):
        history = make().history(lambda records: without(records, kind))
        assert sum(edges(history).values()) >= 0
        assert len(reached(history)) >= 0


def test_a_server_fault_meets_everybody() -> None:
    story, _ = opened()
    fault = Fault(kind=FaultKind.PAUSE)
    call = story.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)
    story.add(Ok, call=call, effect="frozen, then ran on")
    assert phases_of(story, FaultKind.PAUSE) == {Phase.BETWEEN_FRAMES}
