"""Rules for the stream as such: stream/* of docs/protocol.md section 4."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from harness.checkers.calls import Call
from harness.checkers.case import ALLOWANCE_S, Case
from harness.checkers.connections import Conn, Sight
from harness.checkers.look import HELD, Look, broken, quoted, rule, short, unclear
from harness.core.history import CloseKind, Responded
from harness.core.profile import Profile

SILENT_S = 2.0
"""An event this late on an open stream was not sent to it."""


@rule("stream/content-type")
def content_type(case: Case) -> Iterator[Look]:
    """ "200, text/event-stream, UTF-8"."""
    for conn in case.conns:
        if conn.responded is None:
            if _garbage(case, conn):
                yield broken(f"{conn.named} got no HTTP answer", conn.opened.n)
            continue
        if conn.responded.status != 200:
            may = _without_database(case, conn, conn.responded)
            if not may and case.undisturbed(conn, conn.opened.t_s, conn.responded.t_s):
                status = conn.responded.status
                yield broken(f"{conn.named} was answered {status}", conn.responded.n)
            continue
        yield _typed(case, conn, conn.responded.headers)


def _without_database(case: Case, conn: Conn, answer: Responded) -> bool:
    """`log`: "a reconnect is answered from the database", so not while it is away."""
    return (
        case.profile is Profile.LOG
        and answer.status >= 500
        and not case.faults.stores(conn.opened.t_s, answer.t_s)
    )


def _garbage(case: Case, conn: Conn) -> bool:
    if conn.closed is None or conn.closed.kind is not CloseKind.GARBAGE:
        return False
    return case.undisturbed(conn, conn.opened.t_s, conn.end_s)


def _typed(case: Case, conn: Conn, headers: dict[str, str]) -> Look:
    assert conn.responded is not None
    given = headers.get("content-type", "")
    media, *parameters = [part.strip().lower() for part in given.split(";")]
    charsets = [p[8:].strip("\"' ") for p in parameters if p.startswith("charset=")]
    if media != "text/event-stream" or any(
        c not in ("utf-8", "utf8") for c in charsets
    ):
        return broken(
            f"{conn.named} has content type {quoted(given)}", conn.responded.n
        )
    for sight in conn.sights:
        if sight.frame.raw is not None:
            sentence = (
                f"{conn.named} got bytes that are not UTF-8: {quoted(sight.frame.raw)}"
            )
            return broken(sentence, sight.n)
    if _garbage(case, conn) and conn.closed:
        sentence = f"{conn.named} is no event stream: {short(conn.closed.error)}"
        return broken(sentence, conn.closed.n)
    return HELD


@rule("stream/first-frame-ping")
def first_frame_ping(case: Case) -> Iterator[Look]:
    """ "the first frame of every stream, resumed ones too, is ping with a connection
    id and an interval".

    Comments, retry and id-only blocks are no frames here: no client sees them.
    """
    for conn in case.conns:
        if conn.first is not None:
            yield _greeted(conn, conn.first)
        elif conn.accepted and case.undisturbed(conn, conn.opened.t_s, conn.end_s):
            assert conn.responded is not None
            waited_s = conn.end_s - conn.responded.t_s
            if conn.finished and conn.closed is not None:
                sentence = f"{conn.named} was ended by the server without any frame"
                yield broken(sentence, conn.opened.n, conn.closed.n)
            elif waited_s > case.settle_s + case.slack_s(conn.opened.t_s, conn.end_s):
                sentence = f"{conn.named} got no frame in {waited_s:.1f} s"
                yield broken(sentence, conn.opened.n)


def _greeted(conn: Conn, first: Sight) -> Look:
    block = first.block
    if block.kind != "ping":
        sentence = f"the first frame on {conn.named} is {quoted(block.kind)}, not ping"
        return broken(sentence, conn.opened.n, first.n)
    data = block.payload if isinstance(block.payload, dict) else {}
    every = data.get("interval")
    timed = isinstance(every, int | float) and not isinstance(every, bool) and every > 0
    if not conn.connection_id or not timed:
        sentence = f"the ping frame on {conn.named} says {quoted(block.data)}"
        return broken(sentence, first.n)
    return HELD


@rule("stream/registered-before-ping")
def registered_before_ping(case: Case) -> Iterator[Look]:
    """ "an event committed after the client has seen the ping frame is delivered"."""
    writes = [call for call in case.calls.writes if call.ok and call.life is not None]
    starts = [call.invoke.t_s for call in writes]
    for conn in case.conns:
        if conn.ping is not None and conn.reset is None and conn.life is not None:
            call = _first_write(writes, starts, conn)
            look = delivered(case, conn, call) if call else None
            if look is not None:
                yield look


def _first_write(writes: list[Call], starts: list[float], conn: Conn) -> Call | None:
    """The first acknowledged write invoked after the ping frame had come."""
    assert conn.ping is not None
    for call in writes[bisect_right(starts, conn.ping.t_s) :]:
        if call.invoke.t_s > conn.end_s:
            return None
        if call.life == conn.life and call.acked_s <= conn.end_s:
            return call
    return None


def delivered(case: Case, conn: Conn, call: Call) -> Look | None:
    """Whether a stream that was live before a write got its event; None when unsure."""
    assert conn.ping is not None
    if call in case.told_on(conn):
        return HELD
    opened_s = conn.opened.t_s
    what = f"the {call.invoke.f} acknowledged at {call.acked_s:.3f} s"
    for sight in conn.events:
        later = case.write_of(sight, conn)
        if later is not None and later.invoke.t_s > call.acked_s:
            if not conn.calm(opened_s, sight.t_s):
                return None
            sentence = f"{conn.named} was live but got a later event without {what}"
            return broken(sentence, conn.ping.n, call.done_n, sight.n)
    bound_s = call.acked_s + max(SILENT_S, case.settle_s)
    if conn.end_s < bound_s + case.slack_s(call.acked_s, conn.end_s):
        return None
    if not case.undisturbed(conn, opened_s, bound_s):
        return None
    sentence = f"{conn.named} was live and never got {what}"
    return broken(sentence, conn.ping.n, call.done_n)


@rule("stream/no-store")
def no_store(case: Case) -> Iterator[Look]:
    """ "no-store, X-Accel-Buffering: no, no content encoding"."""
    for conn in case.conns:
        if conn.responded is None or not conn.accepted:
            continue
        if case.middleboxes.before(conn) is not None:
            continue  # a middlebox has headers of its own
        headers = conn.responded.headers
        wrong = [
            f"{name}: {headers.get(name, '(absent)')}"
            for name, good in (
                ("cache-control", "no-store" in _tokens(headers, "cache-control")),
                ("x-accel-buffering", _tokens(headers, "x-accel-buffering") == ["no"]),
                ("content-encoding", _plain(headers)),
            )
            if not good
        ]
        if wrong:
            sentence = f"{conn.named} was answered with {short('; '.join(wrong))}"
            yield broken(sentence, conn.responded.n)
        else:
            yield HELD


def _tokens(headers: dict[str, str], name: str) -> list[str]:
    return [part.strip().lower() for part in headers.get(name, "").split(",")]


def _plain(headers: dict[str, str]) -> bool:
    return _tokens(headers, "content-encoding") in ([""], ["identity"])


@rule("stream/keepalive")
def keepalive(case: Case) -> Iterator[Look]:
    """ "bytes at least every keepalive seconds on an idle stream"."""
    for conn in case.conns:
        if conn.accepted and conn.ping is not None and conn.reset is None:
            yield from _kept_alive(case, conn)


def _kept_alive(case: Case, conn: Conn) -> Iterator[Look]:
    every_s = case.limits.keepalive_ms / 1000
    bound_s = every_s + case.tolerances.keepalive_ms / 1000
    idle = False
    for from_s, to_s in _silences(conn):
        gap_s = to_s - from_s
        if gap_s <= bound_s + ALLOWANCE_S:
            continue
        if not case.undisturbed(conn, from_s, to_s):
            continue
        sentence = (
            f"{conn.named} was silent for {gap_s:.2f} s from {from_s:.2f} s on; "
            f"a keep-alive is due every {every_s:.2f} s"
        )
        if gap_s <= bound_s + ALLOWANCE_S + case.slack_s(from_s, to_s):
            yield unclear(sentence, conn.opened.n)
        else:
            yield broken(sentence, conn.opened.n)
        return
    marks = [conn.ping.t_s if conn.ping else conn.opened.t_s]
    marks += [sight.t_s for sight in conn.events]
    marks.append(conn.end_s)
    for from_s, to_s in pairwise(marks):
        idle = idle or (
            to_s - from_s > bound_s and case.undisturbed(conn, from_s, to_s)
        )
    if idle:
        yield HELD


def _silences(conn: Conn) -> Iterator[tuple[float, float]]:
    """Spans in which surely no byte came, the longest of each block and of the tail.

    Inside a block without one only its first and last byte are timed, so one that came
    in more than two reads is left out; so is a tail without one.
    """
    assert conn.responded is not None
    last_s = conn.responded.t_s
    streamed = 0
    for sight in conn.sights:
        frame = sight.frame
        yield last_s, frame.began_s
        if frame.chunks == 2:
            yield frame.began_s, frame.t_s
        elif frame.quiet is not None:
            yield frame.quiet
        last_s, streamed = frame.t_s, streamed + (frame.chunks > 2)
    if conn.closed is None:
        if not streamed:
            yield last_s, conn.end_s
    elif conn.closed.quiet is not None:
        yield conn.closed.quiet
    elif not conn.closed.tail and not _more(conn):
        yield last_s, conn.end_s


def _more(conn: Conn) -> bool:
    """Whether bytes came after the last whole block."""
    assert conn.closed is not None
    if not conn.sights or not conn.closed.received:
        return False
    last = conn.sights[-1].frame
    size = len(last.raw) if last.raw is not None else len(last.text.encode())
    return conn.closed.received > last.offset + size
