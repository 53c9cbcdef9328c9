"""event/*: each planted fault is found, its right neighbour is not blamed."""

import re

import msgspec
import pytest

from harness.core.history import F, Fail, Frame, Info, Invoke, Ok
from tests.checkers.story import (
    Story,
    alter,
    caught,
    drop,
    edit_frames,
    spared,
    verdict,
)


def story(events: int = 4) -> Story:
    it = Story()
    it.begin()
    it.begin("a")
    for _ in range(events):
        it.create()
    return it


def swap(conn: int, one: str, other: str):  # type: ignore[no-untyped-def]
    """Exchange the texts of two frames of a connection."""

    def edit(records):  # type: ignore[no-untyped-def]
        frames = [r for r in records if isinstance(r, Frame) and r.conn == conn]
        first = next(f for f in frames if one in f.text)
        second = next(f for f in frames if other in f.text)
        new = {first.n: second.text, second.n: first.text}
        return [
            msgspec.structs.replace(r, text=new[r.n]) if r.n in new else r
            for r in records
        ]

    return edit


def twice(conn: int, word: str):  # type: ignore[no-untyped-def]
    return edit_frames(
        lambda f: [f, msgspec.structs.replace(f, offset=f.offset + 1)],
        lambda f: f.conn == conn and word in f.text,
    )


def test_a_right_story() -> None:
    it = story().end()
    for slug in ("order", "no-loss", "no-duplicate", "no-phantom", "payload", "has-id"):
        spared(it, f"event/{slug}")


def test_events_change_places() -> None:
    it = story().end()
    edit = swap(2, "text 2", "text 3")
    caught(it, "event/order", edit)
    spared(it, "event/no-loss", edit)
    spared(it, "event/no-duplicate", edit)


def test_order_of_the_witness_against_real_time() -> None:
    it = story().end()
    caught(it, "event/order", swap(1, "text 2", "text 3"), swap(2, "text 2", "text 3"))


def test_loss_in_between() -> None:
    it = story().end()
    assert "text" not in caught(it, "event/no-loss", drop(2, "text 2"))
    spared(it, "event/order", drop(2, "text 2"))


def test_loss_over_a_resume() -> None:
    it = story()
    it.cut(it.streams[-1])
    it.create()
    it.create()
    it.resume("a")
    it.create()
    it.end()
    spared(it, "event/no-loss")
    caught(it, "event/no-loss", drop(3, "text 5"))


def test_loss_for_everybody() -> None:
    it = story().end()
    caught(it, "event/no-loss", drop(1, "text 2"), drop(2, "text 2"))


def test_loss_of_the_tail() -> None:
    it = story()
    it.wait(4)
    it.end()
    spared(it, "event/no-loss")
    caught(it, "event/no-loss", drop(2, "text 4"))


def test_tail_cut_off_is_no_loss() -> None:
    it = story()
    it.cut(it.streams[-1])
    it.create()
    spared(it.end(), "event/no-loss", drop(2, "text 4"))


def test_reset_lies_between() -> None:
    it = story()
    it.cut(it.streams[-1])
    for _ in range(12):
        it.create()
    it.resume("a")
    it.begin("a")
    it.create()
    spared(it.end(), "event/no-loss")


def test_event_twice_on_a_connection() -> None:
    it = story().end()
    caught(it, "event/no-duplicate", twice(2, "text 2"))
    spared(it, "event/order", twice(2, "text 2"))
    spared(it, "event/no-loss", twice(2, "text 2"))


def test_replay_from_the_cursor_itself() -> None:
    it = story()
    it.cut(it.streams[-1])
    it.create()
    stream = it.resume("a")
    last = it.server.log[-2][1]
    it.frame(stream, last)
    caught(it.end(), "event/no-duplicate")


def test_the_same_event_on_an_abandoned_connection() -> None:
    it = story()
    it.resume("a")
    it.create()
    spared(it.end(), "event/no-duplicate")


def test_event_of_no_write() -> None:
    it = story()
    it.broadcast(it.server.commit("create", {"id": 99, "value": {"text": "who?"}}))
    caught(it.end(), "event/no-phantom")


def test_event_of_a_refused_write() -> None:
    it = story()
    it.update(999)
    data = {"id": 999, "value": {"author": "a", "text": f"text {it.texts}"}}
    it.broadcast(it.server.commit("update", data))
    assert "refused" in caught(it.end(), "event/no-phantom")


@pytest.mark.parametrize("outcome", [Info, None])
def test_event_of_a_write_that_may_have_happened(outcome: type[Info] | None) -> None:
    it = story().end()

    def edit(records):  # type: ignore[no-untyped-def]
        creates = (r for r in records if isinstance(r, Invoke) and r.f is F.CREATE)
        call = [r.n for r in creates][-1]
        changed = []
        for r in records:
            if not (isinstance(r, Ok) and r.call == call):
                changed.append(r)
            elif outcome:
                changed.append(Info(n=r.n, t_s=r.t_s, call=call))
        return changed

    spared(it, "event/no-phantom", edit)


def test_one_write_two_events() -> None:
    it = story()
    message = it.server.store[-1]
    it.broadcast(it.server.commit("create", message))
    assert "two events" in caught(it.end(), "event/no-phantom")


def test_an_event_without_its_id_is_no_second_event() -> None:
    it = story().end()
    bare = edit_frames(
        lambda f: msgspec.structs.replace(
            f, text=re.sub("id: .*\ndata: {", "data: { ", f.text)
        ),
        lambda f: f.conn == 2 and "event: create" in f.text,
    )
    caught(it, "event/has-id", bare)
    spared(it, "event/no-phantom", bare)


def test_payload_differs_for_one_client() -> None:
    it = story().end()
    caught(it, "event/payload", alter('"author": "a"', '"author": "b"', conn=2))


def test_payload_differs_from_what_was_written() -> None:
    it = story().end()
    caught(it, "event/payload", alter("text 2", "text two"))


def test_payload_in_another_key_order() -> None:
    it = story().end()
    other = alter(
        '{"author": "a", "text": "text 2"', '{"text": "text 2", "author": "a"', 2
    )
    spared(it, "event/payload", other)


@pytest.mark.parametrize(
    "edit",
    [
        alter('"value"', '"values"', 2),
        alter('{"id": 2', '{"ID": 2', 2),
        alter('data: {"id": 2', 'data: "id": 2', 2),
    ],
)
def test_payload_of_another_shape(edit) -> None:  # type: ignore[no-untyped-def]
    caught(story().end(), "event/payload", edit)


def test_delete_with_a_value() -> None:
    it = story()
    it.delete(2)
    it.end()
    spared(it, "event/payload")
    caught(it, "event/payload", alter('{"id": 2}', '{"id": 2, "value": {"text": "x"}}'))


def test_event_without_id() -> None:
    it = story().end()
    caught(it, "event/has-id", alter("id: e1-2\n", ""))
    caught(it, "event/has-id", alter("id: e1-2\n", "id: \n", 2))


def test_ping_of_a_resumed_stream_moves_the_cursor() -> None:
    it = story()
    it.cut(it.streams[-1])
    it.create()
    it.resume("a")
    it.create()
    it.end()
    spared(it, "event/has-id")
    ahead = edit_frames(
        lambda f: msgspec.structs.replace(f, text="id: e1-5\n" + f.text),
        lambda f: f.conn == 3 and "ping" in f.text,
    )
    caught(it, "event/has-id", ahead)
    same = edit_frames(
        lambda f: msgspec.structs.replace(f, text="id: e1-4\n" + f.text),
        lambda f: f.conn == 3 and "ping" in f.text,
    )
    spared(it, "event/has-id", same)


def test_ping_of_a_fresh_stream_is_ahead() -> None:
    it = story().end()
    caught(
        it, "event/has-id", alter("event: ping\nid: e1-0", "event: ping\nid: e1-2", 2)
    )


def test_failed_write_shows_nothing() -> None:
    it = story()
    it.update(999)
    it.end()
    spared(it, "event/no-phantom")
    assert any(isinstance(r, Fail) for r in it.records)
    assert verdict(it.judged(), "event/no-loss") == "pass"
