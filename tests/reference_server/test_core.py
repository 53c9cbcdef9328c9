"""Unit tests of the pure core."""

import json

import pytest

from reference_server.core.cursor import Cursor
from reference_server.core.event_log import Event, EventLog, Kind
from reference_server.core.frames import Frames
from reference_server.core.message import Value
from reference_server.core.rate_limit import RateLimit
from reference_server.core.record import Record
from reference_server.core.resume import Fresh, Reason, Reset, Resume, decide
from reference_server.core.validation import (
    Refused,
    is_uid,
    parse_before,
    parse_draft,
    parse_load_from,
    parse_message_id,
    parse_patch,
    parse_uid,
)
from reference_server.core.window import Window


def value(created_at: int) -> Value:
    return Value(author="a", text=f"t{created_at}", created_at=created_at)


def filled(limit: int, count: int) -> Window:
    window = Window(limit=limit)
    for number in range(1, count + 1):
        window.add(1000 + number, value(number))
    return window


@pytest.mark.parametrize("text", ["e-0", "abc123-17", "e-999999999999999999"])
def test_cursor_round_trip(text: str) -> None:
    assert str(Cursor.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "e", "e-", "-1", "e--1", "e-01", "e-1 ", " e-1", "e-1\n"),
        *("e-٣", "é-1", "e-1.0", "e-1e3", "e" * 60 + "-12345", "e-" + "1" * 19),
    ],
)
def test_malformed_cursor(text: str) -> None:
    assert Cursor.parse(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Fresh()),
        ("", Fresh()),
        ("e-20", Resume(20)),
        ("e-15", Resume(15)),
        ("e-11", Resume(11)),
        ("e-10", Resume(10)),
        ("e-9", Reset(Reason.EVICTED)),
        ("e-0", Reset(Reason.EVICTED)),
        ("e-21", Reset(Reason.UNKNOWN)),
        ("f-15", Reset(Reason.RESTARTED)),
        ("f-99", Reset(Reason.RESTARTED)),
        ("e--1", Reset(Reason.UNKNOWN)),
        ("x", Reset(Reason.UNKNOWN)),
    ],
)
def test_decision_table(text: str | None, expected: object) -> None:
    """The log holds events 11 to 20 of epoch e."""
    assert decide(text, epoch="e", head=20, oldest=11) == expected


def test_position_before_the_first_event_resumes() -> None:
    assert decide("e-0", epoch="e", head=0, oldest=1) == Resume(0)
    assert decide("e-0", epoch="e", head=3, oldest=1) == Resume(0)


def test_log_keeps_the_frame_it_rendered_once() -> None:
    log = EventLog(epoch="e", limit=3, render=Frames().event)
    entries = [log.append(Event(Kind.CREATE, {"id": n})) for n in range(5)]
    assert (log.oldest, log.head, log.cursor) == (3, 5, "e-5")
    assert log.after(2) == tuple(entries[2:])
    assert log.after(2)[0].frame is entries[2].frame
    assert log.after(5) == ()


def test_window_evicts_by_count_and_keeps_gaps() -> None:
    window = filled(3, 5)
    assert [item.id for item in window.items()] == [3, 4, 5]
    window.remove(4)
    assert [item.id for item in window.items()] == [3, 5]
    assert window.add(1, value(6)).id == 6
    assert [item.id for item in window.items()] == [3, 5, 6]
    assert window.get(2) is None


@pytest.mark.parametrize(("count", "oldest"), [(0, None), (2, None), (3, 1), (5, 3)])
def test_oldest_exactly_from_limit(count: int, oldest: int | None) -> None:
    assert filled(3, count).oldest() == oldest
    assert filled(3, count).snapshot().get("oldest") == oldest


def test_oldest_of_a_window_emptied_by_deletes() -> None:
    window = filled(3, 7)
    for item in window.items():
        window.remove(item.id)
    assert window.items() == []
    assert window.oldest() == 8


def test_window_hides_rows() -> None:
    assert "100" not in json.dumps(filled(3, 5).snapshot())


def test_frames() -> None:
    frames = Frames()
    ping = frames.ping("c", 5, cursor="e-1", retry_ms=9)
    assert ping == b'event: ping\nid: e-1\nretry: 9\ndata: {"id":"c","interval":5}\n\n'
    assert frames.reset(Reason.EVICTED) == (
        b'event: reset\ndata: {"reason":"evicted"}\n\n'
    )
    event = Event(Kind.UPDATE, {"id": 1, "value": {"text": "ü\r\n\x00"}})
    assert frames.event("e-2", event).decode() == (
        'event: update\nid: e-2\ndata: {"id":1,"value":{"text":"ü\\r\\n\\u0000"}}\n\n'
    )


def body(**fields: object) -> bytes:
    return json.dumps({"author": "a", "text": "t"} | fields).encode()


@pytest.mark.parametrize(
    "fields",
    [
        *({"author": ""}, {"author": "a" * 201}, {"author": None}, {"author": ["a"]}),
        *({"text": ""}, {"text": "t" * 10_001}, {"text": 5}, {"text": "\ud800"}),
        *({"nonce": "n" * 201}, {"nonce": 1}, {"nonce": None}),
    ],
)
def test_refused_drafts(fields: dict[str, object]) -> None:
    with pytest.raises(Refused) as caught:
        parse_draft(body(**fields))
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'\xef\xbb\xbf{"text":"x"}'),
        *(b"[" * 60_000, b'{"text":' + b"9" * 5000 + b"}", b"{'a':1}"),
    ],
)
def test_refused_bodies(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_patch(raw)
    assert caught.value.status == 400


def test_accepted_drafts() -> None:
    full = parse_draft(body(text="😀" * 10_000, author="é" * 200, nonce="n" * 200))
    assert len(full.text) == 10_000
    assert parse_draft(body(text="\x00", other=1)).nonce is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("0", None), ("01", None), ("-1", None), ("1.0", None), ("²", None)],
)
def test_message_ids(text: str, expected: int | None) -> None:
    assert parse_message_id(text) == expected


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "x", "1" * 17, "٣"])
def test_refused_load_from(text: str | None) -> None:
    with pytest.raises(Refused):
        parse_load_from(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "1" * 19, "٣", " 1"])
def test_refused_before(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_before(text)
    assert caught.value.status == 400


def test_before() -> None:
    assert (parse_before(None), parse_before("17")) == (None, 17)


@pytest.mark.parametrize(
    ("cookies", "uid"),
    [
        *(("uid=ann", "ann"), (" uid=a;b=c", "a"), ("b=c;\tuid=-_", "-_")),
        *(("uid=ann;uid=ann", "ann"), (f"uid={'a' * 64}", "a" * 64)),
        *(("", None), ("uid", None), ("uid=", None), ("uid=a b", None)),
        *(("uid =a", None), ("uid=a=b", None), ("UID=a", None), ("uid=a,b", None)),
        *(('uid="a"', None), ("uid=ä", None), ("uid=٣", None), ("uid=a\n", None)),
        *((f"uid={'a' * 65}", None), ("uid=a;uid=b", None), ("uid=a;uid=", None)),
    ],
)
def test_uids(cookies: str, uid: str | None) -> None:
    if uid is not None:
        assert parse_uid(cookies) == uid
        assert is_uid(uid)
        return
    with pytest.raises(Refused) as caught:
        parse_uid(cookies)
    assert caught.value.status == 401


def test_rate_limit() -> None:
    limit = RateLimit()
    assert limit.wait_s("a", 10.0) == 0
    limit.note("a", 10.0)
    assert limit.wait_s("a", 10.25) == 0.75
    assert limit.wait_s("a", 9.75) == 1.25
    assert limit.wait_s("b", 10.25) == 0
    assert limit.wait_s("a", 11.0) == 0


def test_rate_limit_forgets() -> None:
    limit = RateLimit()
    for number in range(100):
        limit.note(f"u{number}", number / 10)
    assert len(limit.last_s) <= 11


def test_record_drops_what_is_older() -> None:
    record = Record(EventLog(epoch="e", limit=None, render=Frames().event))
    for at_ms in (100, 200, 200, 300):
        record.append(Event(Kind.CREATE, {}), at_ms)
    record.prune(200)
    assert [entry.seq for entry in record.log.entries] == [2, 3, 4]
    assert (record.log.oldest, record.log.head) == (2, 4)
    record.prune(301)
    assert record.is_empty


def test_versions_of_a_value_differ() -> None:
    first = value(1000)
    second = first.edited("x", 999)
    third = second.edited("x", 999)
    times = [second.updated_at, third.updated_at, third.edited("x", 2000).updated_at]
    assert times == [1001, 1002, 2000]
