"""stream/*: each planted fault is found, its right neighbour is not blamed."""

import msgspec
import pytest

from harness.core.fault import FaultKind
from harness.core.history import AnyRecord, Closed, CloseKind, Frame, Responded
from harness.core.profile import Profile
from tests.checkers.personal import Personal
from tests.checkers.story import (
    GOOD_HEADERS,
    Edit,
    Story,
    alter,
    caught,
    change,
    drop,
    edit_frames,
    spared,
    unseen,
)


def story() -> Story:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.create()
    return it


def headers(**changes: str) -> dict[str, str]:
    return GOOD_HEADERS | {k.replace("_", "-"): v for k, v in changes.items()}


def with_headers(**changes: str):  # type: ignore[no-untyped-def]
    return change(Responded, lambda r: r.conn == 2, headers=headers(**changes))


@pytest.mark.parametrize(
    "value", ["text/plain", "text/event-stream; charset=latin-1", ""]
)
def test_wrong_content_type(value: str) -> None:
    it = story().end()
    assert "content type" in caught(
        it, "stream/content-type", with_headers(content_type=value)
    )


@pytest.mark.parametrize(
    "value", ["text/event-stream", 'Text/Event-Stream;charset="UTF-8"']
)
def test_right_content_type(value: str) -> None:
    spared(story().end(), "stream/content-type", with_headers(content_type=value))


def test_refused_stream() -> None:
    it = story().end()
    refuse = change(Responded, lambda r: r.conn == 2, status=503)
    assert "503" in caught(it, "stream/content-type", refuse)


@pytest.mark.parametrize(("profile", "status"), [("private", 503), ("log", 404)])
def test_refused_stream_without_a_database(profile: str, status: int) -> None:
    it = without_database(Profile(profile))
    answer = change(Responded, lambda r: r.conn == 2, status=status)
    assert str(status) in caught(it, "stream/content-type", answer)


def test_log_may_refuse_a_stream_without_a_database() -> None:
    it = without_database(Profile.LOG)
    answer = change(Responded, lambda r: r.conn == 2, status=503)
    spared(it, "stream/content-type", answer)


def without_database(profile: Profile) -> Personal:
    """The second client comes while the database is away."""
    it = Personal(profile=profile)
    heal = it.fault(FaultKind.STORAGE_AWAY)
    it.begin("a")
    heal()
    return it.end()


def test_bytes_that_are_no_utf8() -> None:
    it = story().end()
    mangle = edit_frames(
        lambda f: msgspec.structs.replace(f, raw=b"\xff"),
        lambda f: f.conn == 2 and "text 2" in f.text,
    )
    caught(it, "stream/content-type", mangle)


def test_first_frame_is_no_ping() -> None:
    it = story().end()
    caught(it, "stream/first-frame-ping", drop(2, "event: ping"))
    comment = edit_frames(
        lambda f: [msgspec.structs.replace(f, text=": hello\n\n"), f],
        lambda f: f.conn == 2 and "ping" in f.text,
    )
    spared(it, "stream/first-frame-ping", comment)


@pytest.mark.parametrize("data", ['{"id": "c2"}', '{"id": "", "interval": 1}', "x"])
def test_malformed_ping(data: str) -> None:
    it = story().end()
    caught(it, "stream/first-frame-ping", alter('{"id": "c2", "interval": 1000}', data))


def test_a_connection_id_may_be_a_number() -> None:
    it = story().end()
    spared(it, "stream/first-frame-ping", alter('"id": "c2"', '"id": 20001'))
    caught(it, "stream/first-frame-ping", alter('"id": "c2"', '"id": true'))


def ended(kind: CloseKind) -> Story:
    it = story()
    it.close(it.open("b"), kind)
    return it.end()


def test_ended_without_a_frame() -> None:
    silent = drop(3, "ping")
    caught(ended(CloseKind.END), "stream/first-frame-ping", silent)
    caught(ended(CloseKind.FIN), "stream/first-frame-ping", silent)
    chunked = change(
        Responded, lambda r: r.conn == 3, headers=headers(transfer_encoding="chunked")
    )
    spared(ended(CloseKind.FIN), "stream/first-frame-ping", silent, chunked)


def test_event_after_the_ping_frame_is_lost() -> None:
    it = story().end()
    caught(it, "stream/registered-before-ping", drop(2, "text 1"))


def test_event_after_the_ping_frame_is_lost_in_silence() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.wait(4)
    it.end()
    caught(it, "stream/registered-before-ping", drop(2, "text 1"))


def test_too_short_to_tell_of_a_loss() -> None:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    judged = it.end().judged(drop(2, "text 1"))
    found = [j for j in judged.judgements if j.requirement.startswith("stream/reg")]
    assert found[0].exercised == 1  # the witness alone


def test_later_event_of_a_cut_stream_is_not_owed() -> None:
    it = story()
    it.cut(it.streams[-1])
    it.create()
    spared(it.end(), "stream/registered-before-ping")


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache_control": "max-age=3"},
        {"x_accel_buffering": "yes"},
        {"content_encoding": "gzip"},
    ],
)
def test_storing_headers(wrong: dict[str, str]) -> None:
    caught(story().end(), "stream/no-store", with_headers(**wrong))


def test_other_ways_to_say_no_store() -> None:
    more = with_headers(cache_control="no-cache, No-Store", content_encoding="identity")
    spared(story().end(), "stream/no-store", more)


def test_silence() -> None:
    it = story()
    it.wait(4)
    it.end()
    spared(it, "stream/keepalive")
    quiet = drop(2, "keep-alive")
    assert "silent" in caught(it, "stream/keepalive", quiet)


def lines_of_comment(quiet: tuple[float, float]) -> Edit:
    """Keep-alives without blank lines: all are of one block, or of the tail."""

    def edit(records: list[AnyRecord]) -> list[AnyRecord]:
        return [
            msgspec.structs.replace(r, tail=": ...\n", quiet=quiet)
            if isinstance(r, Closed) and r.conn == 2
            else r
            for r in drop(2, "keep-alive")(records)
        ]

    return edit


def test_silence_between_lines_of_one_block() -> None:
    it = story()
    it.wait(4)
    it.close(it.streams[-1])
    it.end()
    spared(it, "stream/keepalive", lines_of_comment((1.0, 2.0)))
    assert "from 1.00 s" in caught(it, "stream/keepalive", lines_of_comment((1.0, 3.0)))
    it = story()
    it.wait(4)
    it.create()
    it.end()
    for until_s, says in ((2.0, spared), (3.0, caught)):
        quiet = change(
            Frame, lambda f: f.conn == 2 and "text 3" in f.text,
            chunks=5, began_s=0.2, quiet=(1.0, until_s),
        )  # fmt: skip
        says(it, "stream/keepalive", lines_of_comment((9.0, 9.0)), quiet)


def test_silence_while_stalled_or_lagging_is_not_blamed() -> None:
    it = story()
    heal = it.fault(FaultKind.STALL, "a")
    it.streams[-1].deaf = True
    it.wait(3)
    heal()
    it.end()
    spared(it, "stream/keepalive")
    it = story()
    it.lag(3.0)
    it.wait(4)
    unclear = it.end().judged(drop(2, "keep-alive"), drop(1, "keep-alive"))
    assert all(j.requirement != "stream/keepalive" for j in unclear.judgements)


def test_no_idle_time_is_no_exercise() -> None:
    unseen(story().end(), "stream/keepalive")


def test_garbage() -> None:
    it = story()
    it.close(it.streams[-1], CloseKind.GARBAGE)
    caught(it.end(), "stream/content-type")
    unhurt = change(Closed, lambda c: c.kind is CloseKind.GARBAGE, kind=CloseKind.FIN)
    spared(it, "stream/content-type", unhurt)


def test_frames_are_what_they_are() -> None:
    assert all(isinstance(f.text, str) for f in story().records if isinstance(f, Frame))
