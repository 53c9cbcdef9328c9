"""init/* and history/*: found where planted, spared where right."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.core.fault import FaultKind
from harness.core.history import (
    WITNESS,
    Answer,
    F,
    Fail,
    Invoke,
    LifePhase,
    Ok,
    Request,
)
from tests.checkers.story import (
    Edit,
    Story,
    alter,
    caught,
    drop,
    failed,
    spared,
    unseen,
)


def story(count: int = 3, limit: int = 5) -> Story:
    it = Story(message_limit=limit)
    it.begin()
    for _ in range(count):
        it.create()
    return it


def answers(f: F, turn: Callable[[Any], Any], nth: int = -1) -> Edit:
    """Change the JSON of the nth answer of one kind."""

    def edit(records):  # type: ignore[no-untyped-def]
        calls = [r.n for r in records if isinstance(r, Invoke) and r.f is f]
        return [
            msgspec.structs.replace(
                r,
                answer=msgspec.structs.replace(
                    r.answer, body=json.dumps(turn(json.loads(r.answer.body)))
                ),
            )
            if isinstance(r, Ok) and r.call == calls[nth]
            else r
            for r in records
        ]

    return edit


def messages(turn: Callable[[list[Any]], list[Any]]) -> Callable[[Any], Any]:
    return lambda body: body | {"messages": turn(body["messages"])}


def renamed(found: list[Any]) -> list[Any]:
    return [m | {"id": m["id"] + 7} for m in found]


def retexted(found: list[Any]) -> list[Any]:
    value = found[0]["value"] | {"text": "another"}
    return [found[0] | {"value": value}, *found[1:]]


@pytest.mark.parametrize(
    "turn",
    [
        messages(lambda m: m[::-1]),
        messages(lambda m: m[1:]),
        messages(lambda m: m[:-1]),
        messages(retexted),
        messages(renamed),
        messages(lambda m: [{**x, "id": str(x["id"])} for x in m]),
        messages(lambda m: m + m),
        lambda body: body | {"limit": 6},
        lambda body: {k: v for k, v in body.items() if k != "limit"},
        lambda body: body | {"messages": None},
        lambda body: body["messages"],
    ],
)
def test_window(turn: Callable[[Any], Any]) -> None:
    it = story(8).end()
    spared(it, "init/window")
    caught(it, "init/window", answers(F.INIT, turn))


def test_answers_that_came_before_their_events_and_a_kill() -> None:
    """The witness saw none of it: the answers tell what the next life must show."""
    it = story(2)
    gone = it.create(skip=it.streams)
    it.delete(gone, skip=it.streams)
    it.create(skip=it.streams)
    it.walk("reader")
    it.restart()
    it.walk("reader")
    for slug in ("init/window", "history/pages", "write/durable"):
        spared(it, slug)


def test_window_id_used_again() -> None:
    it = story(3)
    it.delete(3)
    spared(it, "init/window")
    it.server.next_id = 3
    it.create()
    assert "window id 3" in caught(it.end(), "init/window")


def test_window_ids_anew_in_a_new_life() -> None:
    it = story(3)
    it.delete(3)
    it.restart()
    it.create()
    spared(it.end(), "init/window")


def test_window_of_a_chat_with_gaps() -> None:
    it = story(7)
    it.delete(5)
    it.init("reader")
    it.update(6)
    it.init("reader")
    it.create()
    it.create()
    it.init("reader")
    spared(it.end(), "init/window")


def test_window_shows_what_came_before_an_update() -> None:
    it = story(3)
    before = it.snapshot()
    it.update(2)
    it.end()
    stale = answers(F.INIT, lambda _: before)
    assert "window after 3 events" in caught(it, "init/window", stale)


def test_window_may_lag_behind_a_write_in_flight() -> None:
    it = story(3)
    before = it.snapshot()
    asked = it.add(Invoke, who="reader", f=F.INIT)
    it.create()
    answer = msgspec.json.encode(before).decode()
    from harness.core.history import Answer

    it.add(Ok, call=asked, answer=Answer(status=200, body=answer))
    spared(it.end(), "init/window")


def test_window_over_a_restart_with_a_lost_acknowledgement() -> None:
    it = story(7)
    it.create(lost=True, skip=it.streams)
    it.restart()
    it.create()
    it.walk("reader")
    it.end()
    for slug in ("init/window", "init/oldest", "history/pages", "write/durable"):
        spared(it, slug)


@pytest.mark.parametrize("when", ["before its stream", "before its snapshot"])
def test_a_new_life_that_was_changed_before_its_witness_came(when: str) -> None:
    it = story(8)
    it.stop("term")
    it.server.restart()
    it.life(LifePhase.STARTED)
    it.life(LifePhase.READY)
    first = it.init("reader")["messages"][0]["id"]
    if when == "before its stream":
        it.delete(first)
    it.resume(WITNESS)
    it.open(WITNESS)
    if when == "before its snapshot":
        it.delete(first)
    it.init()
    it.create()
    it.end()
    assert failed(it.judged()) == []


@pytest.mark.parametrize(("stored", "present"), [(4, False), (5, True), (6, True)])
def test_oldest(stored: int, present: bool) -> None:
    it = story(stored)
    body = it.init("reader")
    assert ("oldest" in body) is present
    it.end()
    spared(it, "init/oldest")
    if present:
        absent = answers(F.INIT, lambda b: {k: b[k] for k in b if k != "oldest"})
        caught(it, "init/oldest", absent)
        wrong = answers(F.INIT, lambda b: b | {"oldest": b["oldest"] + 1})
        caught(it, "init/oldest", wrong)
    else:
        first = answers(
            F.INIT,
            lambda b: b | {"oldest": b["messages"][0]["value"]["createdAt"]},
        )
        caught(it, "init/oldest", first)


def test_oldest_counts_what_is_stored_not_what_is_shown() -> None:
    it = story(8)
    it.delete(8)
    it.end()
    spared(it, "init/oldest")
    absent = answers(F.INIT, lambda b: {k: b[k] for k in b if k != "oldest"})
    caught(it, "init/oldest", absent)


def test_oldest_of_an_empty_window_is_anybodys_guess() -> None:
    it = story(12)
    for message_id in range(8, 13):
        it.delete(message_id)
    assert it.init("reader")["messages"] == []
    it.end()
    spared(it, "init/oldest")


@pytest.mark.parametrize("extra", [{"rowid": 7}, {"_id": "5f"}])
def test_database_id_in_an_event(extra: dict[str, Any]) -> None:
    it = story(3).end()
    spared(it, "init/no-database-ids")
    text = json.dumps(extra)[1:-1]
    inside = alter(
        '{"author": "a", "text": "text 2"', f'{{{text}, "author": "a", "text": "text 2"'
    )
    caught(it, "init/no-database-ids", inside)
    caught(it, "init/no-database-ids", alter('{"id": 2', f'{{{text}, "id": 2'))


def test_database_id_elsewhere() -> None:
    it = story(8)
    it.walk("reader")
    it.end()

    def leak(found: list[Any]) -> list[Any]:
        return [{**m, "value": {**m["value"], "row": 9}} for m in found]

    caught(it, "init/no-database-ids", answers(F.INIT, messages(leak)))
    caught(it, "init/no-database-ids", answers(F.HISTORY, messages(leak), 0))
    caught(it, "init/no-database-ids", answers(F.CREATE, lambda b: b | {"row": 9}))


def test_other_keys_that_are_no_ids() -> None:
    it = story(3).end()
    edited = messages(lambda m: [x | {"edited": False} for x in m])
    spared(it, "init/no-database-ids", answers(F.INIT, edited))


def test_window_ids_start_anew() -> None:
    it = story(8)
    it.restart()
    it.end()
    spared(it, "init/no-database-ids")

    def kept(found: list[Any]) -> list[Any]:
        return [m | {"id": m["id"] + 3} for m in found]

    caught(
        it,
        "init/no-database-ids",
        answers(F.INIT, messages(kept), 1),
        answers(F.INIT, messages(kept), 2),
    )


def test_window_ids_that_come_out_the_same() -> None:
    """A delete made room: after the restart the one that was pushed out is back."""
    it = story(6)
    it.delete(6)
    it.restart()
    it.delete(1)
    it.init("late")
    it.end()
    spared(it, "init/no-database-ids")


def test_gapless_from_the_cursor_of_a_snapshot() -> None:
    it = story(3)
    body = it.init("a")
    it.create()
    it.open("a", query=body["cursor"])
    it.create()
    it.end()
    spared(it, "init/gapless")
    caught(it, "init/gapless", drop(2, "text 4"))


def test_gapless_cursor_newer_than_the_data() -> None:
    it = story(3)
    early = it.snapshot()["messages"]
    asked = it.add(Invoke, who="a", f=F.INIT)
    it.create()
    body = it.snapshot()
    from harness.core.history import Answer

    answer = Answer(status=200, body=json.dumps(body))
    it.add(Ok, call=asked, answer=answer)
    it.open("a", query=body["cursor"])
    it.create()
    it.end()
    spared(it, "init/gapless")
    old = answers(F.INIT, lambda b: b | {"messages": early}, 1)
    assert "shows the state after 3" in caught(it, "init/gapless", old)


def test_gapless_stream_first() -> None:
    it = story(3)
    stale = it.snapshot()
    it.create()
    it.begin("a")
    it.create()
    it.end()
    spared(it, "init/gapless")
    caught(it, "init/gapless", answers(F.INIT, lambda _: stale, 1))


def walked(count: int = 14) -> Story:
    it = story(count)
    it.delete(count - 1)
    it.walk("reader")
    return it


@pytest.mark.parametrize(
    ("nth", "turn"),
    [
        (0, messages(lambda m: m[::-1])),
        (0, messages(lambda m: m[1:])),
        (1, messages(lambda m: m[:-1])),
        (1, messages(lambda m: [*m, m[0]])),
        (1, messages(lambda _: [])),
    ],
)
def test_pages(nth: int, turn: Callable[[Any], Any]) -> None:
    it = walked().end()
    spared(it, "history/pages")
    caught(it, "history/pages", answers(F.HISTORY, turn, nth))


def test_pages_with_equal_times() -> None:
    it = Story()
    it.begin()
    for _ in range(14):
        it.create(same_time=True)
    it.walk("reader")
    it.end()
    spared(it, "history/pages")
    caught(it, "history/pages", answers(F.HISTORY, messages(lambda m: m[1:]), 1))


def test_pages_that_were_not_all_read() -> None:
    it = walked().end()
    rest = answers(F.HISTORY, messages(lambda m: [*m, {"value": {}}]), -1)
    unseen(it, "history/pages", rest)


def test_history_carries_ids() -> None:
    it = walked().end()
    spared(it, "history/not-interactive")
    ids = messages(lambda m: [x | {"id": i} for i, x in enumerate(m)])
    caught(it, "history/not-interactive", answers(F.HISTORY, ids, 0))


def test_target_that_was_running_already() -> None:
    it = Story(lives=False)
    for number in range(7):
        value = {
            "author": "z",
            "text": f"old {number}",
            "createdAt": number,
            "nonce": f"o{number}",
        }
        it.server.store.append({"id": number, "value": value})
    it.server.window = [dict(m) for m in it.server.store[-5:]]
    it.server.next_id = 7
    it.begin()
    it.create()
    it.update(4)
    it.create()
    it.walk("reader")
    it.end()
    for slug in ("init/window", "init/oldest", "history/pages", "converge"):
        spared(it, slug)
    caught(it, "init/window", answers(F.INIT, messages(lambda m: m[1:])))


# ---- questions that get no good answer -----------------------------------------------


def asked(it: Story, f: F, status: int, **fields: Any) -> None:
    request = Request(method="GET", path="/somewhere", query={"loadFrom": "7"})
    answer = Answer(status=status, body="oops")
    it.call("reader", f, answer, failed=True, request=request, **fields)


@pytest.mark.parametrize("status", [404, 500])
def test_a_good_question_is_answered(status: int) -> None:
    it = story()
    asked(it, F.INIT, status)
    said = caught(it.end(), "init/window")
    assert f"GET /somewhere?loadFrom=7 was answered {status}: oops" in said
    it = story()
    asked(it, F.HISTORY, status, walk=1)
    assert f"answered {status}" in caught(it.end(), "history/pages")


def test_a_page_of_what_may_not_be_there_may_be_refused_and_not_failed_at() -> None:
    it = story()
    asked(it, F.HISTORY, 404)
    unseen(it.end(), "history/pages")
    asked(it, F.HISTORY, 503)
    assert "answered 503" in caught(it, "history/pages")


@pytest.mark.parametrize("kind", [FaultKind.STORAGE_AWAY, FaultKind.PAUSE])
def test_a_question_under_a_fault_may_fail(kind: FaultKind) -> None:
    it = story()
    heal = it.fault(kind)
    asked(it, F.INIT, 503)
    asked(it, F.HISTORY, 503, walk=1)
    heal()
    it.wait(2)
    asked(it, F.INIT, 503)  # it has not noticed yet
    it.end()
    spared(it, "init/window")
    unseen(it, "history/pages")


def test_a_database_that_is_back_is_noticed_in_the_end() -> None:
    it = story()
    it.fault(FaultKind.STORAGE_AWAY)()
    it.wait(it.header.tolerances.settle_ms / 1_000 + 1)
    asked(it, F.INIT, 503)
    caught(it.end(), "init/window")


def test_a_server_that_ends_may_fail() -> None:
    it = story()
    call = it.add(Invoke, who="reader", f=F.INIT)
    it.stop()
    it.add(Fail, call=call, answer=Answer(status=503))
    spared(it.end(), "init/window")
