"""Edges of coming back: events missed, resets, replays, cursors, beginnings."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.returns import Due, Origin, Return
from harness.core.history import WITNESS, CloseKind, F, Ok

AT_ONCE_S = 0.1


def replayed(found: Return) -> int:
    """How many events a connection was surely owed when it was opened."""
    return found.standing.low if found.due is not Due.RESET else 0


def broke_off(found: Return) -> bool:
    """Whether it ended in the middle of its replay."""
    conn = found.conn
    ended = conn.closed is not None and conn.ping is not None
    return ended and conn.reset is None and len(conn.events) < replayed(found)


def in_replay(case: Case, conn: Conn, t_s: float) -> bool:
    """Whether a replay to this connection was still on its way at a time."""
    found = case.return_of(conn)
    if found is None or conn.reset is not None or conn.ping is None:
        return False
    come = sum(1 for sight in conn.events if sight.t_s <= t_s)
    return conn.ping.t_s <= t_s and come < replayed(found)


def _missed(case: Case) -> Iterator[str]:
    names = {0: "none"}
    if kept := case.limits.event_log_limit:
        names |= {kept - 1: "log-minus-one", kept: "log", kept + 1: "log-plus-one"}
    for found in case.returns:
        standing = found.standing
        here = standing.origin is Origin.HERE and found.conn.who != WITNESS
        if here and standing.low == standing.high and standing.low in names:
            yield f"missed/{names[standing.low]}"


def _resets(case: Case) -> Iterator[str]:
    resets = sorted(
        ((c.reset.t_s, c) for c in case.conns if c.reset), key=lambda pair: pair[0]
    )
    for t_s, conn in resets:
        yield "reset/seen"
        for write in case.calls.writes:
            if write.invoke.t_s <= t_s and write.done_s >= conn.opened.t_s:
                yield "reset/among-writes"
                break
    for (early_s, one), (late_s, other) in pairwise(resets):
        if one.who != other.who and late_s - early_s <= AT_ONCE_S:
            yield "reset/two-at-once"


def _resets_of_one(case: Case) -> Iterator[str]:
    for conns in case.by_who.values():
        if sum(1 for conn in conns if conn.reset is not None) > 1:
            yield "reset/twice"
        for one, other in pairwise(conns):
            before = case.return_of(one)
            if before is None or other.reset is None or not replayed(before):
                continue
            yield (
                "reset/after-cut-replay" if broke_off(before) else "reset/after-replay"
            )


def _records(case: Case) -> Iterator[str]:
    """A record in memory from which events go by their age (profile private)."""
    if not case.limits.retention_ms:
        return
    for found in case.returns:
        owed = found.standing.owed
        if owed is None or not found.standing.low:
            continue
        if owed.recreated:
            yield "record/made-anew"
        elif owed.gone:
            yield "record/pruned"


def _restarts(case: Case) -> Iterator[str]:
    for found in case.returns:
        standing = found.standing
        if standing.origin is not Origin.EARLIER or found.conn.who == WITNESS:
            continue
        yield "restart/stale-cursor"
        made = found.order.low(found.conn.opened.t_s)
        if standing.position and made >= standing.position:
            yield "restart/reused-ids"
        before = case.lives.earlier(found.order.life)
        if before is not None and standing.life != before.number:
            yield "restart/two-lives-ago"


def _two_of_one(case: Case) -> Iterator[str]:
    for conns in case.by_who.values():
        for one, other in pairwise(conns):
            if one.accepted and other.accepted and one.end_s > other.opened.t_s:
                yield "stream/two-of-one"


def _silence(case: Case) -> Iterator[str]:
    for conn in case.conns:
        silent = not conn.opened.pings and not conn.who.startswith("probe-")
        ended = conn.closed is not None and conn.closed.kind is CloseKind.END
        dropped = silent and ended and conn.reset is None
        if dropped and case.lives.up(conn.end_s, conn.end_s):
            yield "stream/silence-dropped"


def _joins(case: Case) -> Iterator[str]:
    for found in case.returns:
        conn, owed = found.conn, replayed(found)
        if not owed or conn.ping is None or len(conn.events) < owed:
            continue
        till_s = conn.events[owed - 1].t_s
        if _stirred(case, conn.opened.t_s, till_s):
            yield "stream/join"


def _stirred(case: Case, from_s: float, to_s: float) -> bool:
    return any(
        not call.failed and call.invoke.t_s <= to_s and call.done_s >= from_s
        for call in case.calls.writes
    )


def _beginnings(case: Case) -> Iterator[str]:
    for found in case.returns:
        opened = found.conn.opened
        if opened.header is None and found.conn.who in case.by_who:
            first = case.by_who[found.conn.who][0] is found.conn
            if first and not _is_probe(found.conn) and found.standing.high > 0:
                yield "stream/snapshot-first"
    for conn in case.conns:
        if conn.cursor is None and conn.ping is not None:
            loaded = [s for s in case.calls.snapshots if s.who == conn.who]
            after = [s for s in loaded if s.call.invoke.t_s >= conn.ping.t_s]
            if after and any(e.t_s <= after[0].call.done_s for e in conn.events):
                yield "stream/stream-first"


def _is_probe(conn: Conn) -> bool:
    return conn.who.startswith("probe-")


def _cursors(case: Case) -> Iterator[str]:
    for found in case.returns:
        if not _is_probe(found.conn):
            continue
        yield f"cursor/{_kind(case, found)}"
        opened = found.conn.opened
        if opened.header is None:
            yield "cursor/in-query"
        elif opened.query is not None and opened.query != opened.header:
            yield "cursor/header-against-query"


def _kind(case: Case, found: Return) -> str:
    standing = found.standing
    if standing.origin is Origin.NOWHERE:
        return _of_nowhere(case, standing.cursor)
    if standing.origin is Origin.EARLIER:
        return "earlier-life"
    if standing.due is Due.RESET:
        return "evicted"
    return "old" if standing.high else "head"


def _of_nowhere(case: Case, cursor: str) -> str:
    """A cursor that nobody was given, by its likeness to those that were."""
    issued = [_split(known) for known in case.cursors.issued]
    stem, number = _split(cursor)
    if number is None or len(cursor) > 64:
        return "malformed"
    same = [known for before, known in issued if before == stem and known is not None]
    if same:
        return "future" if int(number) > max(map(int, same)) else "foreign"
    return "foreign" if any(_form(b) == _form(stem) for b, _ in issued) else "malformed"


def _split(cursor: str) -> tuple[str, str | None]:
    found = re.search(r"[0-9]+$", cursor)
    return (cursor[: found.start()], found[0]) if found else (cursor, None)


def _form(stem: str) -> tuple[int, str]:
    """What stays of a stem when its letters and digits are forgotten."""
    return len(stem), re.sub(r"[A-Za-z0-9]", "", stem)


def _pings(case: Case) -> Iterator[str]:
    conns = {conn.connection_id: conn for conn in case.conns if conn.connection_id}
    for call in case.calls.by_f[F.PING]:
        conn = conns.get(call.invoke.about)
        if conn is None and call.failed:
            yield "ping/unknown"
        elif conn is not None and conn.end_s < call.invoke.t_s and call.failed:
            yield "ping/closed"


def _walks(case: Case) -> Iterator[str]:
    for walk in case.calls.walks:
        if any(isinstance(call.done, Ok) for call in walk.calls) and any(walk.pages):
            yield "history/walk"


FAMILY: tuple[Callable[[Case], Iterator[str]], ...] = (
    _missed,
    _resets,
    _resets_of_one,
    _records,
    _restarts,
    _two_of_one,
    _silence,
    _joins,
    _beginnings,
    _cursors,
    _pings,
    _walks,
)
