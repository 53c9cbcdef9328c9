"""The rule of stream/survives-idle-proxy (docs/protocol.md section 4).

"the stream lives and delivers behind nginx for longer than its read timeout"
"""

from collections.abc import Iterator
from itertools import pairwise

from harness.checkers.behind import TimedOut
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, rule, unclear
from harness.checkers.order import Entry
from harness.checkers.stream import SILENT_S
from harness.core.nginx import Nginx

AT_ONCE_S = 0.1
"""A stream that is handed out whole ends this soon after its first frame."""

JUST_S = 1e-6
"""An end counts as a fault's from its own moment on: look just before that."""


@rule("stream/survives-idle-proxy")
def survives_idle_proxy(case: Case) -> Iterator[Look]:
    """Three ways to fail: cut for silence, held back whole, held back in part."""
    for conn in case.conns:
        nginx = case.middleboxes.before(conn)
        if nginx is None or conn.reset is not None:
            continue
        if conn.responded is not None and conn.responded.status != 200:
            continue
        yield from _cut(case, conn, nginx)
        yield from _mute(case, conn)
        yield from _kept_back(case, conn)
        yield from _lived(case, conn, nginx)
        yield from _not_compressed(conn, nginx)


def _cut(case: Case, conn: Conn, nginx: Nginx) -> Iterator[Look]:
    """Nginx ended it, for nothing came from the server within the read timeout."""
    end = case.middleboxes.timed_out(conn)
    if end is None or not end.sure or conn.closed is None:
        return
    if not case.undisturbed(conn, end.since_s, end.until_s - JUST_S):
        return
    sentence = (
        f"{conn.named} was ended by nginx after {end.until_s - end.since_s:.2f} s "
        f"without a byte; its read timeout is {nginx.read_timeout_s:g} s"
    )
    if _starved(case, end, nginx):
        yield unclear(sentence, conn.opened.n, conn.closed.n)
    else:
        yield broken(sentence, conn.opened.n, conn.closed.n)


def _starved(case: Case, end: TimedOut, nginx: Nginx) -> bool:
    """Whether a server that keeps its word may not have come to it on this machine.

    One that answered a call after a keep-alive was due had come to it.
    """
    promised_ms = case.limits.keepalive_ms + case.tolerances.keepalive_ms
    to_spare_s = nginx.read_timeout_s - promised_ms / 1_000
    if not 0 < to_spare_s < case.slack_s(end.since_s, end.until_s):
        return False
    due_s = end.since_s + promised_ms / 1_000
    return not any(
        call.ok and due_s <= call.invoke.t_s and call.done_s <= end.until_s
        for call in case.calls.all.values()
    )


def _mute(case: Case, conn: Conn) -> Iterator[Look]:
    """Its first frame, which the server sends at once, was held back.

    Till the end of the stream, it may be: a connection that is never pinged is ended
    after interval and grace, and then nginx hands out all that it has.
    """
    from_s = conn.opened.t_s
    to_s = conn.first.t_s if conn.first is not None else conn.end_s
    limits, patience_s = case.limits, max(SILENT_S, case.settle_s)
    if conn.first is not None and conn.end_s - to_s < AT_ONCE_S and conn.server_ended:
        patience_s = (limits.ping_interval_ms + limits.ping_grace_ms) / 2_000
    waited_s = to_s - from_s
    if waited_s <= patience_s or not case.undisturbed(conn, from_s, to_s - JUST_S):
        return
    sentence = f"nothing came to {conn.named} through nginx in {waited_s:.2f} s"
    if waited_s <= patience_s + case.slack_s(from_s, to_s):
        yield unclear(sentence, conn.opened.n)
    else:
        yield broken(sentence, conn.opened.n)


def _kept_back(case: Case, conn: Conn) -> Iterator[Look]:
    """An event that others have came late, or not at all."""
    order = case.order_of(conn)
    if conn.ping is None or order is None:
        return
    came = _came(case, conn)
    for entry in order.entries:
        if conn.ping.t_s < entry.certain_s < conn.end_s:
            look = _late(case, conn, entry, came)
            if look is not None:
                yield look
                return


def _came(case: Case, conn: Conn) -> dict[object, float]:
    """When each event came, by its block and by the write that it tells of."""
    came: dict[object, float] = {}
    for sight in conn.events:
        came.setdefault(sight.block, sight.t_s)
        write = case.write_of(sight, conn)
        if write is not None:
            came.setdefault(write, sight.t_s)
    return came


def _late(
    case: Case, conn: Conn, entry: Entry, came: dict[object, float]
) -> Look | None:
    key = entry.write if entry.write in came else entry.block
    there_s = came.get(key, conn.end_s)
    late_s = there_s - entry.certain_s
    if late_s <= _patience_s(case, entry.certain_s, there_s):
        return None
    if not case.undisturbed(conn, conn.opened.t_s, there_s - JUST_S):
        return None
    how = f"came {late_s:.2f} s late" if key in came else "did not come"
    sentence = f"an event seen at {entry.certain_s:.2f} s {how} to {conn.named}"
    return broken(f"{sentence} through nginx", conn.opened.n, entry.sight.n)


def _patience_s(case: Case, from_s: float, to_s: float) -> float:
    return max(SILENT_S, case.settle_s) + case.slack_s(from_s, to_s)


def _lived(case: Case, conn: Conn, nginx: Nginx) -> Iterator[Look]:
    """Idle for longer than the read timeout, and then an event came on it."""
    if conn.ping is None:
        return
    marks = [conn.ping.t_s, *(sight.t_s for sight in conn.events)]
    for from_s, to_s in pairwise(marks):
        idle = to_s - from_s > nginx.read_timeout_s
        if idle and case.undisturbed(conn, from_s, to_s):
            yield HELD


def _not_compressed(conn: Conn, nginx: Nginx) -> Iterator[Look]:
    """A middlebox that did not do what it is there for shows nothing."""
    answer = conn.responded
    if nginx.gzip and answer is not None and "content-encoding" not in answer.headers:
        yield unclear(f"{conn.named} was not compressed by nginx", answer.n)
