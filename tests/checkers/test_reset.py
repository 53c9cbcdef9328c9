"""reset/*: found where planted, spared where right."""

import msgspec
import pytest

from harness.core.history import (
    AnyRecord,
    Closed,
    CloseKind,
    Frame,
    Invoke,
    LifePhase,
    Opened,
    Responded,
)
from harness.core.verdict import Verdict
from tests.checkers.story import (
    WITNESS,
    Edit,
    Story,
    alter,
    caught,
    change,
    edit_frames,
    of,
    spared,
    unseen,
)


def story(missed: int) -> Story:
    """Client a is cut, misses so many events, comes back and starts anew."""
    it = Story()
    it.begin()
    a = it.begin("a")
    it.create()
    it.cut(a)
    for _ in range(missed):
        it.create()
    it.resume("a")
    it.begin("a")
    it.create()
    it.wait(1)
    return it


def unreset(conn: int) -> Edit:
    """Take the reset frame away."""
    return edit_frames(lambda _: None, lambda f: f.conn == conn and "reset" in f.text)


def instead(conn: int, text: str) -> Edit:
    """Something else in the place of the reset."""
    return edit_frames(
        lambda f: msgspec.structs.replace(f, text=text),
        lambda f: f.conn == conn and "reset" in f.text,
    )


def beside(conn: int, text: str, *, before: bool) -> Edit:
    """An event next to the reset."""

    def both(frame: Frame) -> list[Frame]:
        event = msgspec.structs.replace(frame, text=text)
        return [event, frame] if before else [frame, event]

    return edit_frames(both, lambda f: f.conn == conn and "reset" in f.text)


def test_evicted() -> None:
    it = story(11).end()
    spared(it, "reset/evicted")
    caught(it, "reset/evicted", unreset(3))
    caught(it, "reset/evicted", instead(3, it.server.log[0][1]))


@pytest.mark.parametrize("missed", [10, 11])
def test_what_a_witness_did_not_live_to_see_counts(missed: int) -> None:
    """Its stream has ended, the server still writes, resets it, and is gone."""
    it = Story()
    stream = it.begin()
    it.create()
    it.cut(stream)
    for _ in range(missed):
        it.create()
    it.resume(WITNESS)
    it.restart()
    it.end()
    for slug in ("resume/at-head", "resume/no-needless-reset", "reset/once"):
        found = of(it.judged(), slug)
        assert found is None or found.verdict is not Verdict.FAIL, found


def test_evicted_by_none() -> None:
    it = story(10)
    unseen(it.end(), "reset/evicted")


def test_restart() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.restart()
    it.resume("a")
    it.begin("a")
    it.create()
    it.end()
    spared(it, "reset/restart")
    unseen(it, "reset/restart-reused-ids")
    caught(it, "reset/restart", unreset(5))
    caught(it, "reset/restart", instead(5, it.server.log[0][1]))


def test_restart_with_reused_ids() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.restart()
    it.create()
    it.create()
    it.resume("a")
    it.begin("a")
    it.end()
    spared(it, "reset/restart-reused-ids")
    caught(it, "reset/restart-reused-ids", instead(5, it.server.log[1][1]))


def test_restart_where_the_same_strings_come_again() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.restart()
    it.server.epoch = "e1"
    it.create()
    it.create()
    it.resume("a")
    it.end()
    caught(it, "reset/restart-reused-ids")
    caught(it, "reset/restart")


def test_the_new_lifes_own_cursor_is_resumed() -> None:
    it = Story()
    it.begin()
    it.create()
    it.restart()
    a = it.begin("a")
    it.create()
    it.cut(a)
    it.create()
    it.resume("a")
    it.create()
    it.end()
    spared(it, "resume/within-log")
    spared(it, "reset/restart")


@pytest.mark.parametrize("cursor", ["garbage", "e1--1", "e1-99", "x" * 300])
def test_unknown_cursor(cursor: str) -> None:
    it = Story()
    it.begin()
    it.create()
    stream = it.open("x", header=cursor)
    it.end()
    spared(it, "reset/unknown-cursor")
    caught(it, "reset/unknown-cursor", unreset(stream.number))
    refused = change(Responded, lambda r: r.conn == stream.number, status=500)
    silent = edit_frames(lambda _: None, lambda f: f.conn == stream.number)
    assert "500" in caught(it, "reset/unknown-cursor", refused, silent)
    caught(it, "reset/unknown-cursor", instead(stream.number, it.server.log[0][1]))


def test_a_cursor_that_comes_to_be_only_later() -> None:
    it = Story()
    it.begin()
    it.create()
    stream = it.open("x", header="e1-2")
    it.wait(0.5)
    it.create()
    it.end()
    spared(it, "reset/unknown-cursor")
    assert "never issued" in caught(it, "reset/unknown-cursor", unreset(stream.number))


def test_a_cursor_that_may_have_come_to_be_just_now() -> None:
    """Its write had been begun when it was shown."""
    it = Story()
    it.begin()
    it.create()
    stream = it.open("x", header="e1-2")
    it.wait(0.5)
    it.create()
    it.end()

    def begun(records: list[AnyRecord]) -> list[AnyRecord]:
        call = next(r for r in records if isinstance(r, Invoke) and r.text == "text 2")
        shown = next(r for r in records if isinstance(r, Opened) and r.who == "x")
        call = msgspec.structs.replace(call, t_s=shown.t_s)
        others = [r for r in records if r.n != call.n]
        place = others.index(shown)
        return [*others[:place], call, *others[place:]]

    unseen(it, "reset/unknown-cursor", begun)
    unseen(it, "reset/unknown-cursor", begun, unreset(stream.number))


def test_unknown_cursor_in_silence() -> None:
    it = Story()
    it.begin()
    it.create()
    stream = it.open("x", header="garbage")
    stay = change(Closed, lambda c: c.conn == stream.number, conn=99)
    it.wait(4)
    it.end()
    assert "live" in caught(it, "reset/unknown-cursor", unreset(2), stay)


def test_cursor_that_was_issued_to_somebody_else() -> None:
    it = Story()
    it.begin()
    it.create()
    it.open("x", header="e1-1")
    unseen(it.end(), "reset/unknown-cursor")


def test_event_beside_the_reset() -> None:
    it = story(11).end()
    spared(it, "reset/before-any-event")
    event = it.server.log[-1][1]
    assert "before" in caught(
        it, "reset/before-any-event", beside(3, event, before=True)
    )
    assert "after" in caught(
        it, "reset/before-any-event", beside(3, event, before=False)
    )


def test_reset_without_a_reason() -> None:
    it = story(11).end()
    caught(it, "reset/before-any-event", alter('"evicted"', '"whatever"', 3))


def test_reset_that_does_not_end_the_response() -> None:
    it = story(11)
    it.wait(3)
    it.end()
    stay = change(Closed, lambda c: c.conn == 3, conn=99)
    assert "not ended" in caught(it, "reset/before-any-event", stay)


def test_reset_whose_response_ends_for_silence() -> None:
    it = story(11)
    it.wait(3)
    it.end()
    (closed,) = (r for r in it.records if isinstance(r, Closed) and r.conn == 3)
    silence_s = 2.0
    late = change(Closed, lambda c: c.conn == 3, t_s=closed.t_s + silence_s)
    assert "not ended" in caught(it, "reset/before-any-event", late)


def test_reset_again() -> None:
    it = story(11).end()
    spared(it, "reset/once")
    reset = 'event: reset\ndata: {"reason": "unknown"}\n\n'
    again = edit_frames(
        lambda f: [f, msgspec.structs.replace(f, text=reset)],
        lambda f: f.conn == 4 and "ping" in f.text,
    )
    caught(it, "reset/once", again)
    caught(it, "reset/fresh-never", again)


def test_reset_of_another_cause() -> None:
    it = story(11)
    it.restart()
    it.resume("a")
    it.begin("a")
    it.wait(1)
    spared(it.end(), "reset/once")


def test_fresh_stream_is_never_reset() -> None:
    it = story(1).end()
    spared(it, "reset/fresh-never")


def test_close_kinds_are_read() -> None:
    it = story(11)
    assert any(r.kind is CloseKind.END for r in it.records if isinstance(r, Closed))


def test_reset_again_after_a_stream_that_worked() -> None:
    it = story(11)
    it.cut(it.streams[-1])
    it.create()
    it.resume("a")
    it.create()
    it.wait(1)
    it.end()
    spared(it, "reset/once")
    reset = 'event: reset\ndata: {"reason": "unknown"}\n\n'
    again = edit_frames(
        lambda f: [f, msgspec.structs.replace(f, text=reset)],
        lambda f: f.conn == 5 and "ping" in f.text,
    )
    assert "again" in caught(it, "reset/once", again)


def test_server_that_is_not_ready_yet_owes_no_reset() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.stop()
    it.server.restart()
    it.life(LifePhase.STARTED)
    stream = it.resume("a")
    early = edit_frames(lambda _: None, lambda f: f.conn == stream.number)
    unseen(it, "reset/restart", early)
