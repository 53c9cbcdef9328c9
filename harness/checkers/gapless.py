"""The rule that snapshot and stream join without a gap: init/gapless."""

from collections.abc import Iterator

from harness.checkers.calls import Snapshot
from harness.checkers.case import Case
from harness.checkers.chain import first_break
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.returns import Due, Origin
from harness.core.profile import RESETTING


@rule("init/gapless", RESETTING)
def gapless(case: Case) -> Iterator[Look]:
    """ "snapshot + stream from its cursor (or stream first, then snapshot) misses and
    repeats nothing".
    """
    for who, conns in case.by_who.items():
        snapshots = [s for s in case.calls.snapshots if s.who == who]
        for conn in conns:
            look = _from_cursor(case, snapshots, conn) if conn.cursor else None
            if look is None and not conn.cursor:
                look = _stream_first(case, snapshots, conns, conn)
            if look is not None:
                yield look


def _from_cursor(case: Case, snapshots: list[Snapshot], conn: Conn) -> Look | None:
    """Everything up to the cursor is in the snapshot, the stream goes on after it."""
    found = case.return_of(conn)
    given = [
        s
        for s in snapshots
        if s.cursor == conn.cursor and s.call.done_s <= conn.opened.t_s
    ]
    if found is None or not given or found.standing.origin is not Origin.HERE:
        return None
    snapshot, position = given[-1], found.position
    shown = case.looks.get(snapshot.call)
    if shown is None or not shown.judged or position is None:
        return None
    at = shown.fits[1] if shown.fits else shown.elsewhere
    if at is not None and at < position:
        call = snapshot.call
        sentence = (
            f"the snapshot given to {snapshot.who} has cursor {quoted(conn.cursor)}, "
            f"event {position}, but shows the state after {at} events"
        )
        return broken(sentence, call.n, call.done_n, conn.opened.n)
    return _goes_on(case, conn, position) if at is not None else None


def _goes_on(case: Case, conn: Conn, position: int) -> Look | None:
    found = case.return_of(conn)
    if found is None or found.due is not Due.RESUME or conn.ping is None:
        return None
    if conn.reset is not None:
        sentence = (
            f"{conn.named} came with the cursor of a fresh snapshot and was reset"
        )
        return broken(sentence, conn.opened.n, conn.reset.n)
    upto = position + found.standing.high
    gap = first_break(case, conn, found.order, position, upto)
    if gap is not None:
        sentence = (
            f"after the snapshot with cursor {quoted(conn.cursor)}, {gap.sentence}"
        )
        return broken(sentence, *gap.ops)
    return HELD


def _stream_first(
    case: Case, snapshots: list[Snapshot], conns: list[Conn], conn: Conn
) -> Look | None:
    """The first snapshot asked for once the stream was live fits under its events."""
    order = case.order_of(conn)
    if conn.ping is None or conn.reset is not None or order is None:
        return None
    until_s = min(
        (c.opened.t_s for c in conns if c.opened.n > conn.opened.n), default=conn.end_s
    )
    later = (s for s in snapshots if s.call.invoke.n > conn.ping.n)
    snapshot = next((s for s in later if s.call.done_s <= until_s), None)
    shown = case.looks.get(snapshot.call) if snapshot else None
    if shown is None or not shown.judged or shown.order is not order:
        return None
    at = shown.fits[1] if shown.fits else shown.elsewhere
    start = conn.places[0] if conn.places else None
    if at is None:
        return None
    due = max(shown.low, start or 0)
    stale = shown.fits is None and at < shown.low
    if stale or (start is not None and at < start):
        call = shown.snapshot.call
        sentence = (
            f"{conn.named} was live first, but its snapshot shows the state after {at} "
            f"events, at least {due} were due before what the stream brought"
        )
        return broken(sentence, conn.ping.n, call.n, call.done_n)
    return HELD
