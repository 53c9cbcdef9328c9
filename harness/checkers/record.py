"""Rules for the record of a uid in memory: private/prune, reset/record-recreated and
private/record-at-first-event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.order import Order
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
        look = None
        if owed is not None and (owed.gone or owed.recreated):
            look = must_reset(case, found, f"swept since: {kept_by(case)}")
        elif owed is not None and owed.kept:
            look = _left_alone(case, found)
        if look is not None:
            yield look


def _left_alone(case: Case, found: Return) -> Look | None:
    """A sweep went by, and what was younger than the retention is still there."""
    conn, order, first = found.conn, found.order, found.position
    swept_s = case.limits.prune_every_ms + case.tolerances.prune_ms
    if first is None or not found.standing.low:
        return None
    age_s = conn.opened.t_s - order.certain_s(first)
    if age_s < swept_s / 1000:
        return None
    if conn.reset is None:
        return HELD if conn.events else None
    old = conn.reset.t_s - order.possible_s(first)
    sentence = (
        f"{conn.named} came with {quoted(conn.cursor)} and was reset, though what it "
        f"had missed was at most {old:.2f} s old; {kept_by(case)}"
    )
    return broken(sentence, conn.opened.n, conn.reset.n)


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
    no more once a sweep went by without any event, a record had been made to give it.
    """
    given: dict[str, float] = {}
    for order, asked_s, given_s, cursor in _starts(case):
        if not _recordless(case, order, asked_s, given_s):
            continue
        if cursor:
            given.setdefault(cursor, given_s)
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
            "there was a record before the first event"
        )
        ops = [one.found.conn.opened.n for one in (kept[0], swept[0])]
        yield broken(sentence, *ops)
    elif early:
        yield HELD


def _starts(case: Case) -> Iterator[tuple[Order, float, float, str]]:
    """Fresh streams and snapshots: asked for, given, with which cursor."""
    for conn in case.conns:
        order = case.order_of(conn)
        if conn.cursor is None and conn.ping is not None and order is not None:
            yield order, conn.opened.t_s, conn.ping.t_s, conn.ping.block.id or ""
    for snapshot in case.calls.snapshots:
        call = snapshot.call
        if call.era is not None:
            order = case.orders[call.era]
            yield order, call.invoke.t_s, call.done_s, snapshot.cursor or ""


def _recordless(case: Case, order: Order, asked_s: float, given_s: float) -> bool:
    """Whether no event can have been kept meanwhile."""
    seen = order.high(given_s)
    if order.low(asked_s) != seen:
        return False
    if not seen:
        return not order.early
    since_s = order.certain_s(seen - 1)
    return asked_s - since_s > old_s(case) + case.slack_s(since_s, asked_s)


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
