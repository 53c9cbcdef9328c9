"""Edges of faults: where cuts fell, which faults were seen, what overlapped."""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

from harness.aim import landed
from harness.chaos.edges_of_streams import AT_ONCE_S, broke_off, in_replay
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.faults import DEADLY, FaultSpan
from harness.checkers.returns import Due
from harness.core.fault import FaultKind
from harness.core.history import CloseKind

AGAIN_S = 1.0
BRIEF = frozenset((*DEADLY, FaultKind.CUT, FaultKind.PAUSE))
"""Faults that do not last over a block."""

CUT_KINDS = frozenset((CloseKind.FIN, CloseKind.RST))
_NAMES = {
    FaultKind.STALL: "stall",
    FaultKind.BLACK_HOLE: "black-hole",
    FaultKind.PARTITION: "partition",
    FaultKind.LATENCY: "latency",
    FaultKind.BANDWIDTH: "bandwidth",
    FaultKind.SLICE: "slice",
    FaultKind.SLOW_CLOSE: "slow-close",
    FaultKind.PAUSE: "pause",
}


def observed(case: Case) -> list[FaultSpan]:
    """The faults whose effect was seen."""
    return [span for span in case.faults.spans if span.call.ok]


def cut_conns(case: Case) -> list[Conn]:
    """The connections that cuts ended, in the order of their ends."""
    cut: dict[int, Conn] = {}
    for span in observed(case):
        if span.fault.kind is FaultKind.CUT:
            for who in span.fault.whom:
                for conn in case.by_who.get(who, ()):
                    if _ended_in(conn, span):
                        cut[conn.number] = conn
    return sorted(cut.values(), key=lambda conn: conn.end_s)


def _ended_in(conn: Conn, span: FaultSpan) -> bool:
    closed = conn.closed
    return (
        closed is not None
        and closed.kind in CUT_KINDS
        and span.from_s <= closed.t_s <= span.to_s
    )


def _cuts(case: Case) -> Iterator[str]:
    for conn in cut_conns(case):
        assert conn.closed is not None
        if conn.responded is None:
            yield "cut/before-headers"
        elif conn.ping is None:
            yield "cut/in-ping-frame"
        else:
            yield f"cut/{landed(conn.closed.tail).lower().replace(' ', '-')}"
            yield from _in_opening(case, conn)


def _in_opening(case: Case, conn: Conn) -> Iterator[str]:
    found = case.return_of(conn)
    if found is not None and broke_off(found):
        yield "cut/in-replay"
    if found is not None and found.due is Due.RESET and conn.reset is None:
        yield "cut/in-reset"


def _cuts_together(case: Case) -> Iterator[str]:
    for one, other in pairwise(cut_conns(case)):
        if one.who != other.who and other.end_s - one.end_s <= AT_ONCE_S:
            yield "cut/two-at-once"
        elif one.who == other.who and other.end_s - one.end_s <= AGAIN_S:
            yield "cut/again-at-once"


def _seen(case: Case) -> Iterator[str]:
    limits = case.limits
    for span in observed(case):
        kind = span.fault.kind
        if kind in _NAMES:
            yield f"fault/{_NAMES[kind]}"
        patience_ms = limits.ping_interval_ms + limits.ping_grace_ms
        if kind is FaultKind.PAUSE and span.to_s - span.from_s > patience_ms / 1_000:
            yield "fault/pause-past-pings"
        if kind is FaultKind.LOST_ACK:
            yield "write/lost-acknowledgement"


def _refused(case: Case) -> Iterator[str]:
    for conn in case.conns:
        refused = conn.closed is not None and conn.closed.kind is CloseKind.REFUSED
        if refused and case.lives.up(conn.opened.t_s, conn.end_s):
            yield "fault/refused-while-up"


def _overlaps(case: Case) -> Iterator[str]:
    lasting = [s for s in observed(case) if s.fault.kind not in BRIEF]
    for one, other in combinations(lasting, 2):
        if one.from_s <= other.to_s and other.from_s <= one.to_s:
            yield "fault/overlap"
            if any(other.on(who) for who in one.fault.whom):
                yield "fault/overlap-on-one"
    for span in observed(case):
        if span.fault.kind in DEADLY:
            under = [s for s in lasting if s.from_s <= span.from_s <= s.to_s]
            yield from ["fault/restart-under"] * bool(under)
            if any(s.fault.kind is FaultKind.REFUSE for s in under):
                yield "restart/while-away"


def _ends(case: Case) -> Iterator[str]:
    for span in observed(case):
        if span.fault.kind in DEADLY:
            yield f"restart/{span.fault.kind}"
            here = [c for c in case.conns if c.opened.t_s <= span.from_s < c.end_s]
            if any(in_replay(case, conn, span.from_s) for conn in here):
                yield "restart/in-replay"


FAMILY: tuple[Callable[[Case], Iterator[str]], ...] = (
    _cuts,
    _cuts_together,
    _seen,
    _refused,
    _overlaps,
    _ends,
)
