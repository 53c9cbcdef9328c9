"""Connections that came back with a cursor, and what was due to each.

Source: docs/protocol.md section 5, "When a reset is due": resume is required when the
cursor was issued in this life and every event after it is still owed by the declared
limit; reset when an event after it is certainly gone, when it was never issued, or
when the life changed. Between them either is allowed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.checkers.connections import Conn
from harness.checkers.order import Order

if TYPE_CHECKING:
    from harness.checkers.case import Case


class Origin(StrEnum):
    """Where a cursor came from, seen from the life that it is shown to."""

    HERE = "this life"
    EARLIER = "an earlier life"
    NOWHERE = "nowhere"
    UNSURE = "unsure"


class Due(StrEnum):
    """What the server owes to a connection with a cursor."""

    RESUME = "resume"
    RESET = "reset"
    EITHER = "either"


@dataclass(slots=True, eq=False)
class Standing:
    """A cursor shown at a time: events after it, at least `low`, at most `high`."""

    cursor: str
    origin: Origin
    life: int | None = None
    position: int | None = None
    low: int = 0
    high: int = 0
    due: Due = Due.EITHER


@dataclass(slots=True, eq=False)
class Return:
    """A connection with a cursor, and where that cursor stands."""

    conn: Conn
    order: Order
    standing: Standing

    @property
    def due(self) -> Due:
        return self.standing.due

    @property
    def position(self) -> int | None:
        return self.standing.position


def read_returns(case: "Case") -> list[Return]:
    """Every connection with a cursor whose life is known."""
    found = []
    for conn in case.conns:
        order = case.order_of(conn)
        if conn.cursor and order is not None:
            found.append(Return(conn, order, stand(case, conn, conn.cursor)))
    return found


def stand(case: "Case", conn: Conn, cursor: str) -> Standing:
    """Where a cursor stands when this connection shows it."""
    life, opened_s = conn.life, conn.opened.t_s
    assert life is not None
    if not case.cursors.ever(cursor):
        return Standing(cursor, Origin.NOWHERE, due=Due.RESET)
    held = case.cursors.life_of(cursor, conn.who, opened_s)
    if held is None:
        return Standing(cursor, Origin.UNSURE)
    if held != life:
        before = held in case.lives.by_number and _precedes(case, held, life)
        position = case.cursors.position(cursor, held)
        origin = Origin.EARLIER if before else Origin.UNSURE
        due = Due.RESET if before else Due.EITHER
        return Standing(cursor, origin, held, position, due=due)
    return _stand_here(case, conn, cursor, case.orders[life])


def _precedes(case: "Case", one: int, other: int) -> bool:
    lives = case.lives.by_number
    return lives[one].started_s < lives[other].started_s


def _stand_here(case: "Case", conn: Conn, cursor: str, order: Order) -> Standing:
    position = case.cursors.position(cursor, order.life)
    if position is None:
        return Standing(cursor, Origin.HERE, order.life)
    answer = conn.reset or conn.ping
    answered_s = answer.t_s if answer else conn.end_s
    low = max(order.low(conn.opened.t_s) - position, 0)
    high = max(order.high(answered_s) - position, 0) + _hidden(order, answered_s)
    kept = case.limits.event_log_limit
    due = Due.EITHER
    if high <= kept:
        due = Due.RESUME
    elif low > kept + case.tolerances.event_log:
        due = Due.RESET
    return Standing(cursor, Origin.HERE, order.life, position, low, high, due)


def _hidden(order: Order, t_s: float) -> int:
    """Events that a witness with gaps may not have seen."""
    if not order.gappy:
        return 0
    return sum(1 for call in order.unplaced if call.invoke.t_s <= t_s)
