"""Rules for what private forgets and log never does, found where planted."""

import msgspec
import pytest

from harness.core.fault import FaultKind
from harness.core.history import Frame
from harness.core.profile import Profile
from tests.checkers.personal import RETENTION_S, SWEEP_S, Personal, event
from tests.checkers.story import (
    Edit,
    caught,
    drop,
    edit_frames,
    spared,
    unseen,
)

SWEPT_S = RETENTION_S + SWEEP_S + 0.5 + 0.2


def away(it: Personal, who: str = "a") -> None:
    it.cut(next(s for s in reversed(it.streams) if s.who == who and s.open))


def unreset(conn: int) -> Edit:
    return edit_frames(lambda _: None, lambda f: f.conn == conn and "reset" in f.text)


def reset(conn: int) -> Edit:
    """A reset in place of the first event."""
    seen: list[Frame] = []

    def change(frame: Frame) -> Frame | None:
        seen.append(frame)
        text = 'event: reset\ndata: {"reason": "evicted"}\n\n'
        return msgspec.structs.replace(frame, text=text) if len(seen) == 1 else None

    return edit_frames(change, lambda f: f.conn == conn and "event: create" in f.text)


def missed(waited_s: float, *, before: int = 1, after: int = 0) -> Personal:
    """Client a is cut, some is written, time goes by, some more, and a is back."""
    it = Personal()
    it.begin("a")
    it.post()
    away(it)
    for _ in range(before):
        it.post()
    it.wait(waited_s)
    for _ in range(after):
        it.post()
    it.resume("a")
    if not it.streams[-1].open:
        it.begin("a")
    it.post()
    it.wait(1)
    return it.end()


def test_kept_until_the_retention_is_over() -> None:
    it = missed(RETENTION_S - 0.2)
    for slug in ("resume/within-log", "resume/no-needless-reset", "private/prune"):
        spared(it, slug)
        caught(it, slug, reset(3))
    unseen(it, "reset/evicted")


def test_gone_after_the_next_sweep() -> None:
    it = missed(SWEPT_S)
    for slug in ("reset/evicted", "private/prune", "reset/once"):
        spared(it, slug)
    caught(it, "reset/evicted", unreset(3))
    caught(it, "private/prune", unreset(3))
    unseen(it, "resume/no-needless-reset")


@pytest.mark.parametrize(
    ("at_s", "judged"), [(0.5, True), (SWEPT_S - 0.3, False), (SWEPT_S + 0.4, True)]
)
def test_late_while_it_was_to_be_swept(at_s: float, judged: bool) -> None:
    """What starved us before an event was old, or later, kept nobody from sweeping."""
    it = Personal()
    it.begin("a")
    it.post()
    away(it)
    it.post()
    for wait_s in (min(at_s, SWEPT_S), max(0.0, SWEPT_S - at_s)):
        it.wait(wait_s)
        if wait_s == at_s:
            it.lag(0.15)
    it.resume("a")
    it.wait(0.4)
    if at_s > SWEPT_S:
        it.lag(0.15)
    it.wait(1)
    it.end()
    if judged:
        caught(it, "private/prune", unreset(3))
    else:
        unseen(it, "private/prune", unreset(3))


@pytest.mark.parametrize("resets", [True, False])
def test_between_retention_and_sweep_both_are_right(resets: bool) -> None:
    it = missed(RETENTION_S + 0.3)
    edits = () if resets else (unreset(3),)
    for slug in ("reset/evicted", "private/prune", "resume/no-needless-reset"):
        unseen(it, slug, *edits)


def test_made_anew() -> None:
    it = missed(SWEPT_S, before=0, after=3)
    for slug in ("reset/record-recreated", "private/prune"):
        spared(it, slug)
        caught(it, slug, unreset(3))
    unseen(it, "reset/evicted")
    unseen(missed(1.0, before=0, after=3), "reset/record-recreated")


def test_its_own_event_gone_and_the_next_kept() -> None:
    it = Personal()
    it.begin("a")
    it.post()
    away(it)
    it.wait(SWEPT_S / 2)
    it.post()
    it.wait(SWEPT_S / 2 + 0.1)
    it.resume("a")
    it.post()
    it.wait(1)
    it.end()
    for slug in ("resume/oldest-minus-one", "resume/no-needless-reset"):
        spared(it, slug)
        caught(it, slug, reset(3))
    unseen(it, "resume/within-log")


def test_nothing_missed_and_the_record_gone_both_are_right() -> None:
    it = missed(SWEPT_S, before=0)
    for edits in ((), (unreset(3),)):
        for slug in ("reset/evicted", "reset/record-recreated", "resume/at-head"):
            unseen(it, slug, *edits)


def test_a_server_that_is_held_still_does_not_sweep() -> None:
    it = Personal()
    it.begin("a")
    it.post()
    away(it)
    it.post()
    heal = it.fault(FaultKind.PAUSE)
    it.wait(SWEPT_S)
    heal()
    it.resume("a")
    it.end()
    unseen(it, "reset/evicted")


def restarted(*, written: str) -> Personal:
    """The server's life changes while a is away."""
    it = Personal()
    it.begin("a")
    it.post()
    away(it)
    if written == "before":
        it.post()
    it.restart()
    if written == "after":
        it.post()
    it.resume("a")
    if not it.streams[-1].open:
        it.begin("a")
    it.post()
    it.wait(1)
    return it.end()


@pytest.mark.parametrize("written", ["before", "after"])
def test_restarted_and_something_missed(written: str) -> None:
    it = restarted(written=written)
    spared(it, "reset/restart")
    number = next(s.number for s in it.streams[2:] if s.who == "a")
    caught(it, "reset/restart", unreset(number))


def test_restarted_and_nothing_missed_both_are_right() -> None:
    it = restarted(written="nowhere")
    number = next(s.number for s in it.streams[2:] if s.who == "a")
    for edits in ((), (unreset(number),)):
        unseen(it, "reset/restart", *edits)
        unseen(it, "resume/no-needless-reset", *edits)


def test_what_came_before_the_witness_was_not_missed_after_it() -> None:
    it = Personal(witnessed=False)
    it.post()
    it.begin()
    it.begin("a")
    it.post()
    away(it)
    it.restart()
    it.resume("a")
    number = it.streams[-1].number
    it.begin("a")
    it.post()
    it.wait(1)
    it.end()
    for edits in ((), (unreset(number),)):
        unseen(it, "reset/restart", *edits)
        unseen(it, "resume/no-needless-reset", *edits)


# ---- private/record-at-first-event ---------------------------------------------------


def test_no_cursor_before_the_first_event() -> None:
    it = Personal()
    it.begin("a")
    it.post()
    spared(it.end(), "private/record-at-first-event")


def with_early_cursors(*, b_is_reset: bool) -> Personal:
    it = Personal()
    for who in ("a", "b"):
        stream = it.open(who)
        ping = it.records[-1]
        assert isinstance(ping, Frame)
        text = ping.text.replace("data:", f"id: early-{who}\ndata:")
        it.records[-1] = msgspec.structs.replace(ping, text=text)
        if who == "b":
            it.wait(SWEPT_S)
        it.cut(stream)
        it.post()
        it.early = () if b_is_reset and who == "b" else ("early-a", "early-b")
        it.open(who, header=f"early-{who}")
        if not it.streams[-1].open:
            it.begin(who)
        it.wait(SWEPT_S)
    return it.end()


def test_a_cursor_before_any_event_that_outlives_no_sweep() -> None:
    spared(with_early_cursors(b_is_reset=False), "private/record-at-first-event")
    it = with_early_cursors(b_is_reset=True)
    assert "before the first event" in caught(it, "private/record-at-first-event")


# ---- profile log ---------------------------------------------------------------------


def logged() -> Personal:
    it = Personal(profile=Profile.LOG)
    it.begin("a")
    it.post()
    away(it)
    it.post()
    it.restart()
    it.post()
    it.resume("a")
    it.post()
    it.wait(4)
    return it.end()


LOGGED = ("resume/across-restart", "resume/no-needless-reset", "resume/within-log")


def test_a_database_outlives_every_life() -> None:
    it = logged()
    number = it.streams[-1].number
    for slug in (*LOGGED, "event/no-loss", "write/durable"):
        spared(it, slug)
    for slug in LOGGED:
        caught(it, slug, reset(number))
    for word in ("text 2", "text 3"):
        caught(it, "resume/across-restart", drop(number, word))


def test_what_came_before_comes_again() -> None:
    it = logged()
    number = it.streams[-1].number
    again = event("create", "1", it.chat("u1-salt").stored[0])
    twice = edit_frames(
        lambda f: [msgspec.structs.replace(f, text=again), f],
        lambda f: f.conn == number and "text 2" in f.text,
    )
    caught(it, "resume/across-restart", twice)
    caught(it, "event/no-duplicate", twice)


def test_no_cursor_is_ever_reset() -> None:
    it = Personal(profile=Profile.LOG)
    it.post()
    it.open("a", header="garbage")
    it.wait(1)
    it.end()
    unseen(it, "resume/no-needless-reset")
    assert "never is" in caught(it, "resume/no-needless-reset", reset(2))
