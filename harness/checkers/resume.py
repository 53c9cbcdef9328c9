"""Rules for coming back with a cursor that still counts: resume/* and
event/logged-before-sent of docs/protocol.md section 4.
"""

from collections.abc import Iterator

from harness.checkers.case import Case
from harness.checkers.chain import first_break, is_run, stayed
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.returns import Due, Origin, Return, Standing, stand
from harness.core.profile import RESETTING, RESUMABLE, Profile

LIVE_S = 0.5
"""A stream without a reset for so long past its ping frame is live."""
AT_ONCE_S = 1.0
JOIN_S = 1.0


def _resumable(case: Case) -> Iterator[Return]:
    """Returns that must be resumed and that the server had a chance to answer."""
    for found in case.returns:
        answered = found.conn.ping is not None or found.conn.reset is not None
        if answered and found.due is Due.RESUME and found.position is not None:
            yield found


def _continues(case: Case, found: Return) -> Look | None:
    """No reset, and exactly the later events from the cursor on."""
    conn, position = found.conn, found.position
    assert position is not None
    if conn.reset is not None:
        return _needless(found)
    upto = position + found.standing.high
    gap = first_break(case, conn, found.order, position, upto)
    if gap is not None:
        sentence = f"resumed from {quoted(conn.cursor)}, {gap.sentence}"
        return broken(sentence, *gap.ops)
    return HELD if stayed(conn, LIVE_S) else None


def _needless(found: Return) -> Look:
    conn, standing = found.conn, found.standing
    assert conn.reset is not None
    sentence = (
        f"{conn.named} came with {quoted(conn.cursor)}, at most {standing.high} events "
        f"behind, and was reset: {quoted(conn.reset.block.data)}"
    )
    return broken(sentence, conn.opened.n, conn.reset.n)


@rule("resume/at-head", RESUMABLE)
def at_head(case: Case) -> Iterator[Look]:
    """ "cursor = head: nothing is replayed, no reset"."""
    for found in _resumable(case):
        if found.standing.high == 0:
            look = _continues(case, found)
            if look is not None:
                yield look


@rule("resume/within-log", RESUMABLE)
def within_log(case: Case) -> Iterator[Look]:
    """ "cursor inside the log: exactly the later events, then live"."""
    for found in _resumable(case):
        if found.standing.low > 0 and _own_gone(found) is False:
            look = _continues(case, found)
            if look is not None and _replayed(found, look):
                yield look


def _own_gone(found: Return) -> bool | None:
    """Whether the cursor's own event is gone; None when nobody can know."""
    return found.standing.owed.own_gone if found.standing.owed else None


def _replayed(found: Return, look: Look) -> bool:
    """Holding is only seen where at least one event was replayed."""
    return look is not HELD or bool(found.conn.events)


@rule("resume/oldest-minus-one", RESETTING)
def oldest_minus_one(case: Case) -> Iterator[Look]:
    """ "the cursor's own event is gone but the next one is kept: resumed in full"."""
    for found in _resumable(case):
        if found.standing.low > 0 and _own_gone(found):
            look = _continues(case, found)
            if look is not None and _replayed(found, look):
                yield look


@rule("resume/replay-live-join", RESUMABLE)
def replay_live_join(case: Case) -> Iterator[Look]:
    """ "events committed while a replay runs come once, in order"."""
    for found in _resumable(case):
        if found.standing.low > 0 and found.conn.reset is None:
            look = _joined(case, found)
            if look is not None:
                yield look


def _joined(case: Case, found: Return) -> Look | None:
    conn, order, position = found.conn, found.order, found.position
    assert position is not None
    assert conn.ping is not None
    live = order.low(conn.opened.t_s)
    replayed = live - position
    last_s = conn.ping.t_s + JOIN_S
    if len(conn.events) >= replayed:
        last_s = max(last_s, conn.events[replayed - 1].t_s)
    if not any(
        entry.possible_s <= last_s and entry.certain_s >= conn.opened.t_s
        for entry in order.entries[live : live + 50]
    ):
        return None
    gap = first_break(case, conn, order, position, order.high(last_s))
    if gap is not None:
        sentence = f"where replay and live events join, {gap.sentence}"
        return broken(sentence, *gap.ops)
    return HELD if len(conn.events) > replayed else None


@rule("resume/header-wins", RESUMABLE)
def header_wins(case: Case) -> Iterator[Look]:
    """ "header beats query when both are given": seen where they lead apart."""
    for found in case.returns:
        opened = found.conn.opened
        if opened.header and opened.query and opened.query != found.conn.cursor:
            query = stand(case, found.conn, opened.query)
            look = _won(found, query)
            if look is not None:
                yield look


def _won(found: Return, query: Standing) -> Look | None:
    wanted, other = _outcome(found.standing), _outcome(query)
    seen = _observed(found.conn)
    if wanted is None or other is None or wanted == other or seen is None:
        return None
    if seen == other:
        conn = found.conn
        sentence = (
            f"{conn.named} sent header {quoted(conn.cursor)} and query "
            f"{quoted(conn.opened.query)}; the server followed the query"
        )
        ends = conn.events[0] if conn.events else conn.reset
        return broken(sentence, conn.opened.n, ends.n if ends else None)
    return HELD if seen == wanted else None


def _outcome(standing: Standing) -> int | None:
    """What a cursor leads to: the first position due, -1 a reset, None unsure."""
    if standing.due is Due.RESET:
        return -1
    if standing.due is Due.RESUME and standing.origin is Origin.HERE:
        return standing.position
    return None


def _observed(conn: Conn) -> int | None:
    if conn.reset is not None and not conn.events:
        return -1
    return conn.places[0] if conn.places and conn.reset is None else None


@rule("resume/across-restart", (Profile.LOG,))
def across_restart(case: Case) -> Iterator[Look]:
    """ "a restart, killed or graceful, loses and repeats nothing and resets nobody"."""
    for found in _resumable(case):
        cursor, life = found.standing.cursor, found.conn.life
        issued_s = case.cursors.issued[cursor][found.order.life]
        given_in = case.lives.at(issued_s, issued_s)
        if life is None or given_in is None or given_in >= life:
            continue
        look = _continues(case, found)
        if look is not None:
            yield look


@rule("resume/no-needless-reset", RESUMABLE)
def no_needless_reset(case: Case) -> Iterator[Look]:
    """ "no reset where continuity holds"; in `log`, section 2, never."""
    if case.profile is Profile.LOG:
        yield from _never_reset(case)
    for found in _resumable(case):
        if found.conn.reset is not None:
            yield _needless(found)
        elif stayed(found.conn, LIVE_S):
            yield HELD


def _never_reset(case: Case) -> Iterator[Look]:
    """Whatever a cursor says, a database can answer it."""
    due = {found.conn for found in _resumable(case)}
    for conn in case.conns:
        if conn.reset is not None and conn not in due:
            came = f"came with {quoted(conn.cursor)}" if conn.cursor else "was fresh"
            sentence = f"{conn.named} {came} and was reset, which this profile never is"
            yield broken(sentence, conn.opened.n, conn.reset.n)


@rule("event/logged-before-sent", RESETTING)
def logged_before_sent(case: Case) -> Iterator[Look]:
    """ "an event seen by any client can be resumed from at once"."""
    for found in _resumable(case):
        assert found.position is not None
        if found.position < 1:
            continue
        block = found.order.entries[found.position - 1].block
        seen_s = case.sighted[found.order.life].get(block)
        if seen_s is None or not 0 <= found.conn.opened.t_s - seen_s < AT_ONCE_S:
            continue
        look = _resumed_at_once(found)
        if look is not None:
            yield look


def _resumed_at_once(found: Return) -> Look | None:
    conn, position = found.conn, found.position
    assert position is not None
    if conn.reset is not None:
        return _needless(found)
    if conn.places and conn.places[0] is not None:
        if is_run(conn.places[:1], position):
            return HELD
        sentence = (
            f"{conn.named} resumed from {quoted(conn.cursor)} at once and was not "
            f"continued right after it but with event {quoted(conn.events[0].block.id)}"
        )
        return broken(sentence, conn.opened.n, conn.events[0].n)
    return None
