"""Whether what a connection delivered is a run of the commit order without a break."""

from typing import NamedTuple

from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.look import quoted
from harness.checkers.order import Order


class Break(NamedTuple):
    """The first place at which a run is broken, and how."""

    sentence: str
    ops: tuple[int | None, ...]


def event_name(order: Order, place: int) -> str:
    """An event by its id, kind and message, for sentences."""
    block = order.entries[place].block
    named = f"event {quoted(block.id)}" if block.id else "the event without id"
    return f"{named} ({block.kind} {block.message_id})"


def is_run(places: list[int | None], start: int) -> bool:
    """Whether places are start, start + 1, ... without a break."""
    return places == list(range(start, start + len(places)))


def first_break(
    case: Case, conn: Conn, order: Order, start: int, upto: int
) -> Break | None:
    """What is wrong with a connection that has to continue at `start`.

    Looks at the events up to position `upto`; what breaks later has other causes.
    """
    places = conn.places[: max(upto - start, 0) + 1]
    if not is_run(places, start):
        due = start
        for i, place in enumerate(places):
            if place is None:
                return None
            if place != due:
                return _deviation(conn, order, i, due, place)
            due += 1
    due = start + len(places)
    return missing_tail(case, conn, order, due) if due <= upto else None


def _deviation(conn: Conn, order: Order, i: int, due: int, place: int) -> Break:
    sight = conn.events[i]
    if place < due:
        sentence = (
            f"{conn.named} got {event_name(order, place)} at {sight.t_s:.3f} s, which "
            f"was before its cursor or had come already"
        )
        return Break(sentence, (conn.opened.n, sight.n))
    missing = order.entries[due]
    sentence = (
        f"{conn.named} got {event_name(order, place)} at {sight.t_s:.3f} s where "
        f"{event_name(order, due)} was due"
    )
    return Break(sentence, (conn.opened.n, missing.sight.n, sight.n))


def missing_tail(case: Case, conn: Conn, order: Order, due: int) -> Break | None:
    """The next event that an open, unhurt connection stayed silent about."""
    if due >= len(order.entries) or conn.ping is None or conn.reset is not None:
        return None
    owed_s = max(order.certain_s(due), conn.ping.t_s)
    waited_s = conn.end_s - owed_s
    slack_s = case.slack_s(owed_s, conn.end_s)
    if waited_s < case.settle_s + slack_s:
        return None
    if not case.undisturbed(conn, conn.opened.t_s, owed_s + case.settle_s):
        return None
    entry = order.entries[due]
    sentence = (
        f"{conn.named} never got {event_name(order, due)}, committed by "
        f"{order.certain_s(due):.3f} s, though it stayed open until {conn.end_s:.3f} s"
    )
    return Break(sentence, (conn.opened.n, entry.sight.n))


def stayed(conn: Conn, seconds: float) -> bool:
    """Whether a connection lived so long past its ping frame, or delivered."""
    if conn.events:
        return True
    return conn.ping is not None and conn.end_s - conn.ping.t_s >= seconds
