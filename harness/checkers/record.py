"""Rules for the record of a uid in memory: private/prune, reset/record-recreated and
private/record-at-first-event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.owed import old_s
from harness.checkers.reset import kept_by, must_reset
from harness.checkers.returns import Return
from harness.core.profile import Profile

PRIVATE = (Profile.PRIVATE,)


@rule("private/prune", PRIVATE)
def prune(case: Case) -> Iterator[Look]:
    """ "events older than the retention leave the record at the next sweep; an empty
    record goes".
    """
    for found in case.returns:
        owed = found.standing.owed
        if owed is not None and (owed.gone or owed.recreated):
            look = must_reset(case, found, f"swept since: {kept_by(case)}")
            if look is not None:
                yield look


@rule("reset/record-recreated", PRIVATE)
def record_recreated(case: Case) -> Iterator[Look]:
    """ "also when the record was pruned away and made anew"."""
    for found in case.returns:
        owed = found.standing.owed
        if owed is not None and owed.recreated:
            look = must_reset(case, found, "of a record that was pruned away since")
            if look is not None:
                yield look


@dataclass(frozen=True, slots=True)
class Early:
    """A connection that came back, past an event, with a cursor given before any.

    `idle_s` is how long nothing had happened when that event was committed.
    """

    found: Return
    idle_s: float

    @property
    def said(self) -> str:
        return f"{self.found.conn.named} with {quoted(self.found.conn.cursor)}"


@rule("private/record-at-first-event", PRIVATE)
def record_at_first_event(case: Case) -> Iterator[Look]:
    """ "opening a stream creates no record".

    A cursor given while there was no record names none. Where it is resumed from, but
    no more once a sweep went by without any event, the opening had made a record.
    """
    given: dict[str, float] = {}
    for conn in case.conns:
        if conn.cursor is None and conn.ping is not None and _recordless(case, conn):
            if conn.ping.block.id:
                given.setdefault(conn.ping.block.id, conn.ping.t_s)
            else:
                yield HELD
    early = [one for found in case.returns if (one := _early(found, given))]
    kept = [one for one in early if one.found.conn.events]
    swept = [
        one
        for one in early
        if one.found.conn.reset is not None and one.idle_s > old_s(case)
    ]
    if kept and swept:
        sentence = (
            f"{kept[0].said}, given before any event, was continued, and "
            f"{swept[0].said} was reset, {swept[0].idle_s:.1f} s after it was given: "
            "opening a stream had made a record"
        )
        ops = [one.found.conn.opened.n for one in (kept[0], swept[0])]
        yield broken(sentence, *ops)
    elif early:
        yield HELD


def _recordless(case: Case, conn: Conn) -> bool:
    """Whether no event can have been kept when this stream was opened."""
    order = case.order_of(conn)
    if order is None or conn.ping is None:
        return False
    seen = order.high(conn.ping.t_s)
    if order.low(conn.opened.t_s) != seen:
        return False
    if not seen:
        return not order.early
    age_s = conn.opened.t_s - order.certain_s(seen - 1)
    slack_s = case.slack_s(order.certain_s(seen - 1), conn.opened.t_s)
    return age_s > old_s(case) + slack_s


def _early(found: Return, given: dict[str, float]) -> Early | None:
    cursor = found.conn.cursor or ""
    if cursor not in given:
        return None
    order = found.order
    after = order.high(given[cursor])
    if order.low(found.conn.opened.t_s) <= after:
        return None
    idle_s = order.possible_s(after) - given[cursor]
    return Early(found, idle_s)
