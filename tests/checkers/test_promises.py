"""What an answer promises: the stored message, a bounded window, only older pages."""

import json
from typing import Any

import msgspec
import pytest

from harness.core.history import Answer, F, Info, Invoke, Ok, Request
from tests.checkers.story import Edit, caught, spared, unseen
from tests.checkers.test_snapshot import story


def _edit(f: F, kind: type[Any], **fields: Any) -> Edit:
    """Other fields in the first record of one kind that belongs to a call `f`."""

    def edit(records):  # type: ignore[no-untyped-def]
        first = next(r for r in records if isinstance(r, Invoke) and r.f is f)
        for place, record in enumerate(records):
            ours = record is first or getattr(record, "call", 0) == first.n
            if ours and isinstance(record, kind):
                changed = msgspec.structs.replace(record, **fields)
                return [*records[:place], changed, *records[place + 1 :]]
        raise AssertionError(f"no {kind} of {f}")

    return edit


def _answer(body: object, **fields: Any) -> Answer:
    return Answer(status=200, body=json.dumps(body), **fields)


@pytest.mark.parametrize(
    "body",
    [7, {}, {"id": 1}, {"id": 1, "value": {"text": "other"}}, {"value": {}}],
)
def test_a_write_is_answered_with_what_was_stored(body: object) -> None:
    it = story(3).end()
    spared(it, "event/payload")
    caught(it, "event/payload", _edit(F.CREATE, Ok, answer=_answer(body)))


def test_a_write_is_answered_with_the_id_of_its_event() -> None:
    it = story(3).end()
    written = next(r for r in it.records if isinstance(r, Invoke) and r.f is F.CREATE)
    value = {"author": "a", "text": written.text, "createdAt": 1}
    wrong = _answer({"id": 99, "value": value})
    said = caught(it, "event/payload", _edit(F.CREATE, Ok, answer=wrong))
    assert "99" in said


def test_a_snapshot_past_every_bound() -> None:
    it = story(3)
    it.init()
    it.end()
    endless = _edit(F.INIT, Ok, answer=_answer({}, truncated=True))
    assert "longer" in caught(it, "init/window", endless)


@pytest.mark.parametrize(("asked", "older"), [(10**15, True), (1, False)])
def test_a_page_holds_only_older_messages(asked: int, older: bool) -> None:
    it = story(12)
    it.walk()
    it.end()
    query = {"loadFrom": str(asked)}
    request = Request(method="GET", path="/history", query=query)
    edit = _edit(F.HISTORY, Invoke, request=request)
    if older:
        spared(it, "history/pages", edit)
    else:
        assert "older than 1 holds" in caught(it, "history/pages", edit)


@pytest.mark.parametrize("close", ["rst: ", "fin: Server disconnected"])
def test_closing_on_an_oversized_body_says_nothing(close: str) -> None:
    it = story(2)
    it.bad_input()
    it.end()
    limit = it.header.limits.max_body_bytes

    def unanswered(size: int) -> Edit:
        request = Request(method="POST", path="/messages", size=size)
        sized = _edit(F.BAD_INPUT, Invoke, request=request)

        def edit(records):  # type: ignore[no-untyped-def]
            records = sized(records)
            call = next(
                r for r in records if isinstance(r, Invoke) and r.f is F.BAD_INPUT
            )
            return [
                Info(n=r.n, t_s=r.t_s, call=r.call, error=close)
                if getattr(r, "call", 0) == call.n
                else r
                for r in records
            ]

        return edit

    unseen(it, "write/bad-input", unanswered(limit + 1))
    caught(it, "write/bad-input", unanswered(limit))
