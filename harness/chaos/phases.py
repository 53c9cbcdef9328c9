"""Which fault met which phase of a connection: the matrix that a hunt should fill."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from harness.chaos.edges import channels_of
from harness.chaos.edges_of_faults import CUT_KINDS, observed
from harness.chaos.edges_of_streams import in_replay
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.faults import FaultSpan
from harness.core.fault import FaultKind
from harness.core.history import CloseKind, History

IDLE_S = 0.5
"""A stream on which nothing came for so long before and after is idle."""


class Phase(StrEnum):
    """What a client's newest connection was at when a fault took hold of it."""

    CONNECTING = "connecting"
    BEFORE_HEADERS = "before headers"
    BETWEEN_FRAMES = "between frames"
    INSIDE_A_FRAME = "inside a frame"
    IDLE = "idle"
    REPLAY = "during a replay"


def reached(history: History) -> set[tuple[FaultKind, Phase]]:
    """Every fault that was observed, with each phase that it met."""
    return reached_in(channels_of(history))


def reached_in(channels: Iterable[Case]) -> set[tuple[FaultKind, Phase]]:
    """As `reached`, of a history that is indexed already."""
    return {
        (span.fault.kind, phase)
        for case in channels
        for span in observed(case)
        for phase in _met(case, span)
    }


def _met(case: Case, span: FaultSpan) -> Iterator[Phase]:
    for who in span.fault.whom or tuple(case.by_who):
        conns = case.by_who.get(who, [])
        if span.fault.kind is FaultKind.CUT:
            for conn in conns:
                if _was_cut(conn, span):
                    yield _phase(case, conn, conn.end_s)
            continue
        if span.fault.kind is FaultKind.REFUSE:
            yield from [Phase.CONNECTING] * any(_refused(c, span) for c in conns)
        open_then = [c for c in conns if c.opened.t_s <= span.from_s < c.end_s]
        if open_then:
            yield _phase(case, open_then[-1], span.from_s)


def _was_cut(conn: Conn, span: FaultSpan) -> bool:
    closed = conn.closed
    ended = closed is not None and closed.kind in CUT_KINDS
    return ended and span.from_s <= conn.end_s <= span.to_s


def _refused(conn: Conn, span: FaultSpan) -> bool:
    closed = conn.closed
    refused = closed is not None and closed.kind is CloseKind.REFUSED
    return refused and span.from_s <= conn.opened.t_s <= span.to_s


def _phase(case: Case, conn: Conn, t_s: float) -> Phase:
    """What a connection was at, at a time when it was open or was just cut."""
    if conn.closed is not None and conn.closed.kind is CloseKind.REFUSED:
        return Phase.CONNECTING
    if conn.responded is None or conn.responded.t_s > t_s:
        return Phase.BEFORE_HEADERS
    if in_replay(case, conn, t_s):
        return Phase.REPLAY
    if _in_frame(conn, t_s):
        return Phase.INSIDE_A_FRAME
    near = any(abs(sight.t_s - t_s) < IDLE_S for sight in conn.sights)
    return Phase.BETWEEN_FRAMES if near else Phase.IDLE


def _in_frame(conn: Conn, t_s: float) -> bool:
    closed = conn.closed
    if closed is not None and closed.tail and closed.t_s <= t_s:
        return True
    return any(s.frame.began_s <= t_s < s.t_s for s in conn.sights)
