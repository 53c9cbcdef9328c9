"""The rule of load/slow-reader (docs/protocol.md section 4).

"a stalled client neither delays others nor grows memory without bound; it is ended, not
skipped". A stall of which too little came of is no exercise: what the kernel holds is
nobody's backlog.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf
from statistics import median

from harness.checkers.case import ALLOWANCE_S, Case
from harness.checkers.connections import Conn
from harness.checkers.faults import FaultSpan
from harness.checkers.look import HELD, Look, broken, rule, unclear
from harness.checkers.order import Entry, Order
from harness.core.fault import FaultKind
from harness.core.history import Resources
from harness.core.usage import Moment

KERNEL_BYTES = 4 << 20
"""What may wait in the socket's own buffer: Linux lets it grow to this by itself."""

ENOUGH = 10
"""So many events must lie unread, or be timed, before anything is concluded."""

FLOOR_S = 0.1
"""An event may be this much later in any case: the first ones cost next to nothing."""

TICK_S = 0.05
"""How often the harness looks whether it is late."""

MIB = 1 << 20


@rule("load/slow-reader")
def slow_reader(case: Case) -> Iterator[Look]:
    """Each client that stopped reading while events went by.

    In scenarios made for it only: a stall within a network's own buffers, among other
    faults, tells nothing of this.
    """
    if "load/slow-reader" not in case.header.requirements:
        return
    for span in case.faults.spans:
        if span.fault.kind is not FaultKind.STALL or span.to_s == inf:
            continue
        for who in span.fault.whom:
            yield from _stalled(case, span, who)


def _stalled(case: Case, span: FaultSpan, who: str) -> Iterator[Look]:
    conn = next(
        (
            one
            for one in case.by_who.get(who, ())
            if one.opened.t_s <= span.from_s <= one.end_s
        ),
        None,
    )
    order = case.order_of(conn) if conn is not None else None
    if conn is None or order is None or not case.lives.up(span.from_s, span.to_s):
        return
    unread = _unread(conn, order, span)
    if len(unread) < ENOUGH:
        return
    yield from _ended_not_skipped(case, span, conn, order, unread)
    yield from _others_on_time(case, span)
    yield from _memory(case, span)


def _unread(conn: Conn, order: Order, span: FaultSpan) -> list[Entry]:
    """The events that others had and it had not, at the moment when they were most.

    Healed, it may have read them all before the healing is on record.
    """
    begun, ended = span.from_s, span.to_s
    passed = [e for e in order.entries if begun < e.sight.t_s <= ended]
    came = {
        order.entries[place].sight.n: sight.t_s
        for sight, place in zip(conn.events, conn.places, strict=False)
        if place is not None
    }
    had_s = sorted(t_s for e in passed if (t_s := came.get(e.sight.n, inf)) <= ended)
    witnessed_s = sorted(e.sight.t_s for e in passed)

    def behind(t_s: float) -> int:
        return bisect_right(witnessed_s, t_s) - bisect_left(had_s, t_s)

    worst_s = max((*had_s, ended), key=behind)
    return [e for e in passed if e.sight.t_s <= worst_s <= came.get(e.sight.n, inf)]


def _ended_not_skipped(
    case: Case, span: FaultSpan, conn: Conn, order: Order, unread: list[Entry]
) -> Iterator[Look]:
    places = [place for place in conn.places if place is not None]
    last = order.entries.index(unread[-1])
    if places and len(set(places)) <= max(places) - min(places):
        sentence = (
            f"{conn.named}, which read nothing from {span.from_s:.2f} s to "
            f"{span.to_s:.2f} s, got what came after with events missing in between"
        )
        yield broken(sentence, conn.opened.n, conn.events[-1].n)
    elif conn.server_ended and (not places or max(places) < last):
        yield HELD
    else:
        yield from _kept_too_much(case, conn, unread)


def _kept_too_much(case: Case, conn: Conn, unread: list[Entry]) -> Iterator[Look]:
    """Still there with more unread than kernel and declared backlog can hold."""
    size = sum(len(entry.sight.frame.text.encode()) for entry in unread)
    backlog = case.header.load.backlog_events
    if size <= KERNEL_BYTES + backlog * size / len(unread):
        return
    sentence = (
        f"{conn.named} was not ended, though {len(unread)} events ({size} bytes) lay "
        f"unread; the declared backlog is {backlog} events"
    )
    yield broken(sentence, conn.opened.n, unread[-1].sight.n)


def _others_on_time(case: Case, span: FaultSpan) -> Iterator[Look]:
    """Median against median; what the harness was late for does not count."""
    before = _delays(case, span, -inf, span.from_s)
    during = _delays(case, span, span.from_s, span.to_s)
    if min(len(before), len(during)) < ENOUGH:
        seen = f"{len(before)} before, {len(during)} during it"
        yield unclear(f"too few events could be timed around the stall: {seen}")
        return
    usual_s, then_s = median(before), median(during)
    factor = case.header.load.delay_factor
    if then_s <= usual_s * factor + FLOOR_S + ALLOWANCE_S:
        yield HELD
        return
    sentence = (
        f"while {', '.join(span.fault.whom)} read nothing, an event took "
        f"{then_s:.3f} s from its write to the others; before, it took "
        f"{usual_s:.3f} s, and the declared factor is {factor:g}"
    )
    yield broken(sentence, span.call.n)


def _delays(case: Case, span: FaultSpan, from_s: float, to_s: float) -> list[float]:
    """How long events of writes in this time took to clients without the fault."""
    late = [(t_s - lag_s - 2 * TICK_S, t_s) for t_s, lag_s in case.faults.lags]
    found = []
    for conn in case.conns:
        if conn.who in span.fault.whom:
            continue
        for sight in conn.events:
            write = case.write_of(sight, conn)
            if write is None or not from_s <= write.invoke.t_s <= to_s:
                continue
            began_s = write.invoke.t_s
            if sight.t_s <= to_s and not any(
                a <= sight.t_s and began_s <= b for a, b in late
            ):
                found.append(sight.t_s - began_s)
    return found


def _memory(case: Case, span: FaultSpan) -> Iterator[Look]:
    """Resident memory of the target, where it was measured."""
    told = case.kinds.of(Resources)
    warm = [r for r in told if r.moment is Moment.WARM and r.t_s <= span.from_s]
    full = [r for r in told if span.from_s <= r.t_s <= span.to_s]
    if not warm or not full:
        return
    held, most = warm[-1].usage.rss_bytes, max(r.usage.rss_bytes or 0 for r in full)
    if held is None or not most:
        return
    allowed = case.header.load.memory_mb
    if most - held <= allowed * MIB:
        yield HELD
        return
    sentence = (
        f"while {', '.join(span.fault.whom)} read nothing, the target's memory grew "
        f"from {held / MIB:.1f} to {most / MIB:.1f} MiB; {allowed} more are declared"
    )
    yield broken(sentence, warm[-1].n, full[-1].n)
