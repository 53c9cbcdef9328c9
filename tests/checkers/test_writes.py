"""write/*: found where planted, spared where right."""

import json
from typing import Any

import msgspec
import pytest

from harness.core.fault import FaultKind
from harness.core.history import (
    LEFT,
    Answer,
    CloseKind,
    F,
    Fail,
    Info,
    Invoke,
    Ok,
)
from tests.checkers.story import Edit, Story, caught, spared, unseen
from tests.checkers.test_snapshot import answers, messages, story


def outcome(f: F, about: str, kind: type[Any], **fields: Any) -> Edit:
    """Another completion of the last call of one kind about something."""

    def edit(records):  # type: ignore[no-untyped-def]
        calls = [
            r.n
            for r in records
            if isinstance(r, Invoke) and r.f is f and r.about == about
        ]
        return [
            kind(n=r.n, t_s=r.t_s, call=r.call, **fields)
            if getattr(r, "call", 0) == calls[-1]
            else r
            for r in records
        ]

    return edit


@pytest.mark.parametrize("how", ["kill", "term"])
def test_durable(how: str) -> None:
    it = story(8)
    it.update(8)
    it.delete(7)
    it.restart(how)
    it.walk("reader")
    it.end()
    spared(it, "write/durable")
    lost = messages(lambda m: [x for x in m if x["value"]["nonce"] != "nonce 6"])
    assert "gone" in caught(it, "write/durable", answers(F.INIT, lost))
    old = messages(
        lambda m: [
            {**x, "value": {**x["value"], "text": "text 8"}}
            if x["value"]["nonce"] == "nonce 8"
            else x
            for x in m
        ]
    )
    assert "shows" in caught(it, "write/durable", answers(F.INIT, old))
    value = {"author": "a", "text": "text 7", "createdAt": 9, "nonce": "nonce 7"}
    back = messages(lambda m: [*m, {"id": 99, "value": value}])
    assert "back" in caught(it, "write/durable", answers(F.INIT, back))
    gone = messages(lambda m: m[1:])
    caught(it, "write/durable", answers(F.HISTORY, gone, 0))


@pytest.mark.parametrize("name", ["author", "createdAt", "updatedAt"])
@pytest.mark.parametrize("loses", [True, False])
def test_what_was_acknowledged_is_what_survives(name: str, loses: bool) -> None:
    it = story(3)
    it.update(3)
    it.restart()
    it.end()

    def other(value: dict[str, Any]) -> dict[str, Any]:
        less = {key: kept for key, kept in value.items() if key != name}
        return less if loses else {**less, name: 5}

    wrong = messages(lambda m: [*m[:-1], {**m[-1], "value": other(m[-1]["value"])}])
    said = caught(it, "write/durable", answers(F.INIT, wrong))
    assert f"acknowledged with {name}" in said
    without_nonce = messages(
        lambda m: [
            {**x, "value": {k: v for k, v in x["value"].items() if k != "nonce"}}
            for x in m
        ]
    )
    spared(it, "write/durable", answers(F.INIT, without_nonce))


def test_a_snapshot_under_way_may_be_older_than_an_update_of_its_own_life() -> None:
    it = story(3)
    it.restart()
    answer = Answer(status=200, body=json.dumps(it.snapshot()))
    asked = it.add(Invoke, who="reader", f=F.INIT)
    it.update(3)
    it.add(Ok, call=asked, answer=answer)
    it.restart()
    spared(it.end(), "write/durable")


def test_unacknowledged_writes_may_be_gone() -> None:
    it = story(3)
    it.create(lost=True)
    it.restart()
    it.end()
    lost = messages(lambda m: [x for x in m if x["value"]["nonce"] != "nonce 4"])
    edits = [answers(F.INIT, lost, 1), answers(F.INIT, lost, 2)]
    spared(it, "write/durable", *edits)


def test_evicted_messages_are_not_missed_in_a_snapshot() -> None:
    it = story(8)
    it.restart()
    spared(it.end(), "write/durable")


def test_interactive_only() -> None:
    it = story(7)
    it.update(1)
    it.delete(2)
    it.delete(5)
    it.delete(5)
    it.update(5)
    it.update(999)
    it.update("abc")
    it.end()
    spared(it, "write/interactive-only")
    spared(it, "write/window-eviction")
    for f, about in ((F.UPDATE, "1"), (F.DELETE, "2"), (F.DELETE, "5")):
        ok = outcome(f, about, Ok, answer=Answer(status=200, body="{}"))
        caught(it, "write/interactive-only", ok)
    caught(
        it,
        "write/window-eviction",
        outcome(F.UPDATE, "1", Ok, answer=Answer(status=200)),
    )
    crash = outcome(F.UPDATE, "999", Info, answer=Answer(status=500))
    caught(it, "write/interactive-only", crash)
    odd = outcome(F.UPDATE, "999", Fail, answer=Answer(status=400))
    caught(it, "write/interactive-only", odd)
    other = outcome(F.UPDATE, "abc", Fail, answer=Answer(status=422))
    spared(it, "write/interactive-only", other)


def test_evicted_message_is_patched_with_an_event() -> None:
    it = story(7)
    it.update(1)
    text = f"text {it.texts}"
    value = {"author": "a", "text": text, "createdAt": 1001, "nonce": "nonce 1"}
    it.broadcast(it.server.commit("update", {"id": 1, "value": value}))
    it.end()
    ok = outcome(F.UPDATE, "1", Ok, answer=Answer(status=200, body="{}"))
    caught(it, "write/interactive-only", ok)
    caught(it, "write/window-eviction", ok)


def test_update_in_flight_while_the_message_is_evicted() -> None:
    it = story(5)
    call = it.add(Invoke, who="a", f=F.UPDATE, about="1", text="late")
    it.create()
    it.add(Ok, call=call, answer=Answer(status=200))
    unseen(it.end(), "write/interactive-only")


def test_window_eviction() -> None:
    it = story(7)
    it.init("reader")
    it.end()
    spared(it, "write/window-eviction")
    first = it.server.store[1]
    more = messages(lambda m: [first, *m])
    caught(it, "write/window-eviction", answers(F.INIT, more))
    fewer = messages(lambda m: m[1:])
    assert "more than" in caught(it, "write/window-eviction", answers(F.INIT, fewer))


def test_window_that_was_never_full() -> None:
    unseen(story(5).end(), "write/window-eviction")


def bad() -> Story:
    it = story(2)
    it.bad_input("no json", "marker 1")
    it.create()
    return it


def test_bad_input() -> None:
    it = bad().end()
    spared(it, "write/bad-input")
    for wrong in (
        outcome(F.BAD_INPUT, "no json", Ok, answer=Answer(status=201)),
        outcome(F.BAD_INPUT, "no json", Info, answer=Answer(status=500)),
        outcome(F.BAD_INPUT, "no json", Info, error="rst"),
        outcome(F.BAD_INPUT, "no json", Fail, answer=Answer(status=400)),
        outcome(F.BAD_INPUT, "no json", Fail, answer=Answer(status=400, body="{}")),
        outcome(
            F.BAD_INPUT,
            "no json",
            Fail,
            answer=Answer(status=400, body='{"error": {"code": "", "message": ""}}'),
        ),
    ):
        caught(it, "write/bad-input", wrong)


def test_bad_input_is_stored() -> None:
    it = bad().end()
    value = {"author": "a", "text": "marker 1 cut", "createdAt": 1}
    shown = messages(lambda m: [*m, {"id": 99, "value": value}])
    assert "stored" in caught(it, "write/bad-input", answers(F.INIT, shown))


def test_bad_input_ends_the_stream() -> None:
    it = story(2)
    it.bad_input()
    it.close(it.streams[0], CloseKind.RST)
    it.begin()
    assert "right after" in caught(it.end(), "write/bad-input")


def ended_by_bad_input(*, pinged: bool) -> Story:
    """The harness is late when it happens."""
    it = story(2)
    it.wait(1)
    if not pinged:
        it.pings.clear()
        it.wait(1.8)
    it.lag(0.6)
    it.bad_input()
    it.close(it.streams[0], CloseKind.END)
    it.begin()
    return it.end()


def test_bad_input_ends_a_stream_that_was_pinged_in_time() -> None:
    """However late: it cannot have ended for silence."""
    it = ended_by_bad_input(pinged=True)
    assert "right after" in caught(it, "write/bad-input")
    spared(ended_by_bad_input(pinged=False), "write/bad-input")


def test_who_leaves_in_the_middle_of_a_body_hears_nothing() -> None:
    it = bad().end()
    unseen(it, "write/bad-input", outcome(F.BAD_INPUT, "no json", Info, error=LEFT))
    value = {"author": "a", "text": "marker 1 cut", "createdAt": 1}
    shown = answers(F.INIT, messages(lambda m: [*m, {"id": 99, "value": value}]))
    left = outcome(F.BAD_INPUT, "no json", Info, error=LEFT)
    assert "stored" in caught(it, "write/bad-input", shown, left)


def test_bad_input_behind_a_fault() -> None:
    it = story(2)
    heal = it.fault(FaultKind.LOST_ACK, "writer")
    it.bad_input()
    heal()
    it.end()
    nothing = outcome(F.BAD_INPUT, "no json", Info, error="timeout")
    unseen(it, "write/bad-input", nothing)


def test_edits_are_real() -> None:
    body = json.loads(msgspec.json.encode(story(1).snapshot()))
    assert len(body["messages"]) == 1


def test_write_outside_the_window_that_is_accepted_is_no_lost_event() -> None:
    it = story(7)
    it.delete(1)
    it.create()
    it.end()
    ok = outcome(F.DELETE, "1", Ok, answer=Answer(status=204))
    caught(it, "write/interactive-only", ok)
    spared(it, "event/no-loss", ok)
