"""Connections that came back with a cursor, and what was due to each.

Source: docs/protocol.md section 5, "When a reset is due": resume is required when the
cursor was issued in this life and every event after it is still owed by the declared
limits; reset when an event after it is certainly gone, when it was never issued to this
channel, or when the life changed - in `private` only if something was missed. Between
them either is allowed. `log` never resets: its cursors outlive every life.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.checkers.connections import Conn
from harness.checkers.order import Order
from harness.checkers.owed import LETS_GO, Asked, Owed, missed_since
from harness.core.profile import Profile

if TYPE_CHECKING:
    from harness.checkers.case import Case


ON_ITS_WAY_S = 0.1
"""An event may come to the witness so long after it had come to its place."""


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
    """A cursor shown at a time: events after it, at least `low`, at most `high`.

    `life` is the era that issued it. `owed` tells what this era still has of it.
    """

    cursor: str
    origin: Origin
    life: int | None = None
    position: int | None = None
    low: int = 0
    high: int = 0
    due: Due = Due.EITHER
    owed: Owed | None = None


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
    era, opened_s = conn.era, conn.opened.t_s
    assert era is not None
    if not case.cursors.ever(cursor) or _is_to_come(case, conn, cursor):
        never = Due.EITHER if case.profile is Profile.LOG else Due.RESET
        return Standing(cursor, Origin.NOWHERE, due=never)
    held = case.cursors.era_of(cursor, conn.who, opened_s)
    if held is None:
        return Standing(cursor, Origin.UNSURE)
    if held != era:
        return _stand_earlier(case, conn, cursor, held)
    return _stand_here(case, conn, cursor, case.orders[era])


def _is_to_come(case: "Case", conn: Conn, cursor: str) -> bool:
    """Whether only events that were committed after the answer had this cursor."""
    order = case.order_of(conn)
    if order is None or case.cursors.given(cursor, conn.opened.t_s):
        return False
    position = case.cursors.position(cursor, order.life)
    answered_s = _answered_s(conn)
    most = order.high(answered_s) + _hidden(order, answered_s)
    return position is not None and position > most


def _answered_s(conn: Conn) -> float:
    answer = conn.reset or conn.ping
    return answer.t_s if answer else conn.end_s


def _stand_earlier(case: "Case", conn: Conn, cursor: str, held: int) -> Standing:
    """The server's life has changed since the cursor was issued."""
    assert conn.era is not None
    position = case.cursors.position(cursor, held)
    if held not in case.orders or not _precedes(case, held, conn.era):
        return Standing(cursor, Origin.UNSURE, held, position)
    lost = case.profile is not Profile.PRIVATE or missed_since(
        case, held, position, conn.opened.t_s
    )
    due = Due.RESET if lost else Due.EITHER
    return Standing(cursor, Origin.EARLIER, held, position, due=due)


def _precedes(case: "Case", one: int, other: int) -> bool:
    lives = case.lives.by_number
    return lives[one].started_s < lives[other].started_s


def _stand_here(case: "Case", conn: Conn, cursor: str, order: Order) -> Standing:
    position = case.cursors.position(cursor, order.life)
    if position is None:
        return Standing(cursor, Origin.HERE, order.life)
    answered_s = _answered_s(conn)
    low = max(order.low(conn.opened.t_s) - position, 0)
    high = max(order.high(answered_s) - position, 0) + _hidden(order, answered_s)
    asked = Asked(
        order=order,
        position=position,
        low=low,
        high=high,
        opened_s=conn.opened.t_s,
        answered_s=answered_s,
    )
    owed = LETS_GO[case.profile](case, asked)
    due = Due.RESET if owed.gone or owed.recreated else Due.EITHER
    if owed.kept:
        due = Due.RESUME
    return Standing(cursor, Origin.HERE, order.life, position, low, high, due, owed)


def _hidden(order: Order, t_s: float) -> int:
    """Events by then that a witness with gaps, or gone already, may not have seen."""
    begun = [call.invoke.t_s for call in order.unplaced if call.invoke.t_s <= t_s]
    if order.gappy:
        return len(begun)
    return sum(
        1
        for from_s in begun
        if order.since_s <= from_s and not _watched(order, from_s, t_s)
    )


def _watched(order: Order, from_s: float, to_s: float) -> bool:
    """Whether a witness listened all the while, and for long enough after it."""
    return any(
        conn.ping is not None
        and conn.ping.t_s <= from_s
        and to_s + ON_ITS_WAY_S < conn.end_s
        for conn in order.witness
    )
