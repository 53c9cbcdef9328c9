"""Rules for the sequence of events: order, loss and duplicates (event/*)."""

from collections.abc import Iterator
from math import inf

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.chain import Break, event_name, is_run, missing_tail
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, rule
from harness.checkers.order import Order
from harness.checkers.returns import Origin
from harness.checkers.writes import outside
from harness.core.history import F


@rule("event/order")
def order(case: Case) -> Iterator[Look]:
    """ "events reach each client in commit order, the same for all clients"."""
    for conn in case.conns:
        found = case.order_of(conn)
        if found is not None and len(conn.events) > 1:
            yield _rises(conn, found)
    for found in case.orders.values():
        yield from _real_time(found)


def _rises(conn: Conn, order: Order) -> Look:
    """A place seen before is a duplicate's business, not this rule's."""
    if conn.places[0] is not None and is_run(conn.places, conn.places[0]):
        return HELD
    top, seen, top_n = -1, set[int](), 0
    for sight, place in zip(conn.events, conn.places, strict=False):
        if place is None:
            continue
        if place < top and place not in seen:
            sentence = (
                f"{conn.named} got {event_name(order, place)} at {sight.t_s:.3f} s "
                f"after {event_name(order, top)}, which was committed later"
            )
            return broken(sentence, order.entries[place].sight.n, top_n, sight.n)
        seen.add(place)
        if place > top:
            top, top_n = place, sight.n
    return HELD


def _real_time(order: Order) -> Iterator[Look]:
    """A write acknowledged before another began was committed before it."""
    latest: Call | None = None
    for entry in order.entries:
        call = entry.write
        if call is None:
            continue
        if latest is not None and call.acked_s < latest.invoke.t_s:
            if call.invoke.f is F.DELETE and latest.invoke.f is F.DELETE:
                continue
            sentence = (
                f"{_said(call)} was acknowledged at {call.acked_s:.3f} s, before "
                f"{_said(latest)} began at {latest.invoke.t_s:.3f} s, but its event "
                "came later"
            )
            yield broken(sentence, call.n, call.done_n, latest.n, entry.sight.n)
        elif latest is None or call.invoke.t_s > latest.invoke.t_s:
            latest = call
    if latest is not None:
        yield HELD


def _said(call: Call) -> str:
    about = call.invoke.about or repr(call.invoke.text[:30])
    return f"the {call.invoke.f} of {about}"


@rule("event/no-loss")
def no_loss(case: Case) -> Iterator[Look]:
    """ "between two events that a client applied in one epoch none is missing"."""
    for conn in case.conns:
        found = case.order_of(conn)
        if found is not None:
            yield from _complete(case, conn, found)
    for found in case.orders.values():
        yield from _witnessed(case, found)


def _complete(case: Case, conn: Conn, order: Order) -> Iterator[Look]:
    start = _resumed_at(case, conn)
    places = [place for place in conn.places if place is not None]
    if not places and start is None:
        return
    first = places[0] if start is None else min(start, places[0] if places else start)
    gap = _gap(conn, order, start, places)
    if gap is None and len(places) == len(conn.places):
        due = max(places, default=first - 1) + 1
        gap = missing_tail(case, conn, order, due) if conn.reset is None else None
    if gap is not None:
        yield broken(gap.sentence, *gap.ops)
    elif places:
        yield HELD


def _resumed_at(case: Case, conn: Conn) -> int | None:
    """Where a connection has to continue; None when it starts anew or unsure."""
    found = case.return_of(conn)
    if found is None or found.standing.origin is not Origin.HERE or conn.reset:
        return None
    return found.position


def _gap(
    conn: Conn, order: Order, start: int | None, places: list[int]
) -> Break | None:
    """The first event missing before one that was delivered."""
    if not places or is_run(conn.places, places[0] if start is None else start):
        return None
    have = set(places)
    known = places[0] if start is None else start - 1
    for sight, place in zip(conn.events, conn.places, strict=False):
        if place is None:
            return None
        missing = next((i for i in range(known + 1, place) if i not in have), None)
        if missing is not None:
            sentence = (
                f"{event_name(order, missing)}, committed by "
                f"{order.certain_s(missing):.3f} s, was never delivered on "
                f"{conn.named}, which got {event_name(order, place)} at "
                f"{sight.t_s:.3f} s"
            )
            ops = (conn.opened.n, order.entries[missing].sight.n, sight.n)
            return Break(sentence, ops)
        known = max(known, place)
    return None


def _witnessed(case: Case, order: Order) -> Iterator[Look]:
    """Every write that surely was committed has its event on the stream without
    faults: acknowledged, seen as an event by somebody, or shown by a snapshot.
    """
    events = [entry.write for entry in order.entries if entry.write is not None]
    last_begun_s = max((call.invoke.t_s for call in events), default=0.0)
    shown = _shown_s(case, order) if order.unplaced else {}
    for call in order.unplaced:
        mine = call.eras == [order.life] and not outside(case, call)
        if mine and _is_first_delete(case, order, call):
            committed_s = min(call.acked_s, shown.get(call, inf))
            look = _lost(case, order, call, committed_s, last_begun_s)
            if look is not None:
                yield look
    if events:
        yield HELD


def _shown_s(case: Case, order: Order) -> dict[Call, float]:
    """When events and snapshots of an era first showed that a write had happened."""
    shown: dict[Call, float] = {}
    by_text = {call.invoke.text: call for call in order.unplaced if call.invoke.text}
    for block, t_s in case.sighted[order.life].items():
        call = case.matching.write_of(block, order.life)
        if call is not None:
            shown[call] = min(t_s, shown.get(call, inf))
    for snapshot in case.snapshots_of(order.life):
        for _, text in snapshot.texts:
            call = by_text.get(text)
            if call is not None:
                shown[call] = min(snapshot.call.done_s, shown.get(call, inf))
    return shown


def _is_first_delete(case: Case, order: Order, call: Call) -> bool:
    """Of several deletes of one message only one makes an event."""
    if call.invoke.f is not F.DELETE:
        return True
    asked = case.matching.deletes_of(call.invoke.about, order.life)
    return not any(other in order.by_write for other in asked)


def _lost(
    case: Case, order: Order, call: Call, committed_s: float, last_begun_s: float
) -> Look | None:
    conn = _watching(order, call, committed_s)
    if conn is None:
        return None
    bound_s = committed_s + case.settle_s
    if order.gappy:
        last_begun_s = _last_begun_s(case, conn)
    later = last_begun_s > committed_s
    silent = conn.end_s >= bound_s + case.slack_s(committed_s, conn.end_s)
    if not later and not (silent and case.undisturbed(conn, call.invoke.t_s, bound_s)):
        return None
    sentence = (
        f"{_said(call)}, surely committed by {committed_s:.3f} s, never had an event "
        f"on the stream of the {case.witness}, which was open since "
        f"{order.since_s:.3f} s"
    )
    return broken(sentence, call.n, call.done_n, conn.opened.n)


def _last_begun_s(case: Case, conn: Conn) -> float:
    """When the last write began of which this connection itself got the event."""
    writes = (case.write_of(sight, conn) for sight in conn.events)
    return max((call.invoke.t_s for call in writes if call), default=-inf)


def _watching(order: Order, call: Call, committed_s: float) -> Conn | None:
    """The witness's connection that was live from before a write to its commit."""
    for conn in order.witness:
        live_s = conn.ping.t_s if conn.ping and not conn.reset else inf
        if live_s < call.invoke.t_s and committed_s <= conn.end_s:
            return conn
    return None


@rule("event/no-duplicate")
def no_duplicate(case: Case) -> Iterator[Look]:
    """ "no event twice on a connection; after a resume from k nothing at or before
    k".
    """
    for conn in case.conns:
        if conn.events:
            yield _repeated(conn) or _replayed(case, conn) or HELD


def _repeated(conn: Conn) -> Look | None:
    keys = [
        (s.block.id or "", s.block.data if not s.block.id else "") for s in conn.events
    ]
    if len(set(keys)) == len(keys):
        return None
    first: dict[tuple[str, str], int] = {}
    for key, sight in zip(keys, conn.events, strict=True):
        if key in first:
            what = f"event {key[0]!r}" if key[0] else "an event without id"
            sentence = f"{conn.named} got {what} twice, again at {sight.t_s:.3f} s"
            return broken(sentence, first[key], sight.n)
        first[key] = sight.n
    return None


def _replayed(case: Case, conn: Conn) -> Look | None:
    start, order = _resumed_at(case, conn), case.order_of(conn)
    if start is None or order is None:
        return None
    for sight, place in zip(conn.events, conn.places, strict=False):
        if place is not None and place < start:
            sentence = (
                f"{conn.named} resumed from {conn.cursor!r} and got "
                f"{event_name(order, place)}, which is not after it"
            )
            return broken(sentence, conn.opened.n, sight.n)
    return None
