"""Rules for losing continuity: reset/* of docs/protocol.md section 4."""

from collections.abc import Iterator

from harness.checkers.case import ALLOWANCE_S, Case
from harness.checkers.chain import stayed
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule, unclear
from harness.checkers.resume import LIVE_S
from harness.checkers.returns import Due, Origin, Return
from harness.core.profile import RESETTING, Profile

REASONS = frozenset(("restarted", "evicted", "unknown"))
ENDS_WITHIN_S = 2.0


def kept_by(case: Case) -> str:
    """What the target declares to keep, for a sentence."""
    if case.profile is Profile.PRIVATE:
        return f"each is kept for {case.limits.retention_ms / 1000:g} s"
    return f"{case.limits.event_log_limit} are kept"


def must_reset(case: Case, found: Return, why: str) -> Look | None:
    """Reset it was, or what came instead; None when a fault hides the answer."""
    conn = found.conn
    if conn.reset is not None:
        return HELD
    who = f"{conn.named}, which came with {quoted(conn.cursor)} ({why}),"
    if conn.events:
        event = conn.events[0]
        sentence = f"{who} was not reset and got event {quoted(event.block.id)}"
        return broken(sentence, conn.opened.n, event.n)
    if not case.undisturbed(conn, conn.opened.t_s, conn.end_s):
        return None
    if conn.responded is not None and not conn.accepted:
        sentence = f"{who} was answered {conn.responded.status}"
        return broken(sentence, conn.opened.n, conn.responded.n)
    if conn.server_ended and conn.closed:
        sentence = f"{who} was ended ({conn.closed.kind}) without a reset"
        return broken(sentence, conn.opened.n, conn.closed.n)
    lived_s = conn.end_s - conn.opened.t_s
    if lived_s > case.settle_s + case.slack_s(conn.opened.t_s, conn.end_s):
        sentence = f"{who} was live for {lived_s:.1f} s without a reset"
        return broken(sentence, conn.opened.n)
    return None


@rule("reset/evicted", RESETTING)
def evicted(case: Case) -> Iterator[Look]:
    """ "an event after the cursor is gone: reset"."""
    for found in case.returns:
        owed = found.standing.owed
        if owed is not None and owed.gone:
            why = f"{found.standing.low} events behind, {kept_by(case)}"
            look = must_reset(case, found, why)
            if look is not None:
                yield look


@rule("reset/restart", RESETTING)
def restart(case: Case) -> Iterator[Look]:
    """ "after a server restart every cursor of the earlier life: reset"."""
    for found in case.returns:
        if found.standing.origin is Origin.EARLIER and found.due is Due.RESET:
            why = f"from life {found.standing.life}, now runs life {found.conn.life}"
            look = must_reset(case, found, why)
            if look is not None:
                yield look


@rule("reset/restart-reused-ids", RESETTING)
def restart_reused_ids(case: Case) -> Iterator[Look]:
    """ "also when the new life has already produced as many events as the cursor
    counts".
    """
    for found in case.returns:
        standing = found.standing
        if standing.origin is not Origin.EARLIER or not standing.position:
            continue
        if found.due is not Due.RESET:
            continue
        produced = found.order.low(found.conn.opened.t_s)
        if produced >= standing.position:
            why = (
                f"event {standing.position} of life {standing.life}; life "
                f"{found.conn.life} has had {produced}"
            )
            look = must_reset(case, found, why)
            if look is not None:
                yield look


@rule("reset/unknown-cursor", RESETTING)
def unknown_cursor(case: Case) -> Iterator[Look]:
    """ "malformed, foreign, negative, oversized or future cursor: reset, never a 5xx,
    never silence, never live".
    """
    for found in case.returns:
        if found.standing.origin is Origin.NOWHERE:
            look = must_reset(case, found, "never issued to anybody")
            if look is HELD and found.conn.ping is None:
                sentence = f"{found.conn.named} was reset without a ping frame"
                look = broken(sentence, found.conn.opened.n)
            if look is not None:
                yield look


@rule("reset/before-any-event", RESETTING)
def before_any_event(case: Case) -> Iterator[Look]:
    """ "reset comes before any event, and no event follows it on that connection"."""
    for conn in case.conns:
        if conn.reset is not None:
            look = _alone(conn) or _reasoned(conn) or _ended(case, conn)
            if look is not None:
                yield look


def _alone(conn: Conn) -> Look | None:
    assert conn.reset is not None
    if not conn.events:
        return None
    event = conn.events[0]
    when = "before" if event.n < conn.reset.n else "after"
    sentence = f"{conn.named} got event {quoted(event.block.id)} {when} its reset"
    return broken(sentence, conn.reset.n, event.n)


def _reasoned(conn: Conn) -> Look | None:
    assert conn.reset is not None
    data = conn.reset.block.payload
    reason = data.get("reason") if isinstance(data, dict) else None
    if isinstance(reason, str) and reason in REASONS:
        return None
    sentence = f"the reset on {conn.named} says {quoted(conn.reset.block.data)}"
    return broken(sentence, conn.reset.n)


def _ended(case: Case, conn: Conn) -> Look | None:
    """ "then the server ends the response"."""
    assert conn.reset is not None
    waited_s = conn.end_s - conn.reset.t_s
    # Who does not ping after it is ended for that, which is no end for the reset.
    within_s = min(ENDS_WITHIN_S, case.silence_s / 2)
    late_s = waited_s - within_s - ALLOWANCE_S
    if late_s <= 0 or not case.undisturbed(conn, conn.reset.t_s, conn.end_s):
        return HELD
    closed = conn.closed.n if conn.closed else None
    sentence = f"{conn.named} was not ended {waited_s:.2f} s after its reset"
    if late_s <= case.slack_s(conn.reset.t_s, conn.end_s):
        return unclear(sentence, conn.reset.n, closed)
    return broken(sentence, conn.reset.n, closed)


@rule("reset/once", RESETTING)
def once(case: Case) -> Iterator[Look]:
    """ "one cause, one reset: the fresh stream after it works".

    Every later connection of the client counts, not only the next: until there is a
    new cause none of them may be reset.
    """
    for conns in case.by_who.values():
        after: Conn | None = None
        for conn in conns:
            if after is not None and _owed_once(case, conn):
                look = _works(case, after, conn)
                if look is not None:
                    yield look
            if conn.reset is not None:
                after = conn


def _owed_once(case: Case, conn: Conn) -> bool:
    """Not where the client itself brings a cursor that is a new cause."""
    if conn.cursor is None:
        return True
    found = case.return_of(conn)
    return found is not None and found.due is Due.RESUME


def _works(case: Case, after: Conn, conn: Conn) -> Look | None:
    first_n = after.reset.n if after.reset else after.opened.n
    if conn.reset is not None:
        sentence = f"{conn.named} was reset again, after {after.named} and no new cause"
        return broken(sentence, first_n, conn.opened.n, conn.reset.n)
    if conn.ping is not None:
        return HELD if stayed(conn, LIVE_S) else None
    if conn.responded is None or conn.accepted:
        return None
    if not case.undisturbed(conn, conn.opened.t_s, conn.end_s):
        return None
    sentence = f"{conn.named} after a reset was answered {conn.responded.status}"
    return broken(sentence, first_n, conn.opened.n, conn.responded.n)


@rule("reset/fresh-never")
def fresh_never(case: Case) -> Iterator[Look]:
    """ "a stream opened without a cursor is never reset"."""
    for conn in case.conns:
        if conn.opened.header is not None or conn.opened.query is not None:
            continue
        if conn.reset is not None:
            sentence = f"{conn.named} came without a cursor and was reset"
            yield broken(sentence, conn.opened.n, conn.reset.n)
        elif stayed(conn, LIVE_S):
            yield HELD
