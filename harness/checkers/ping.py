"""Rules for the ping contract: ping/* of docs/protocol.md section 4.

"the client must POST /ping with that id every interval. A connection that was not
pinged for interval + grace is ended and leaves the channel" (section 3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from harness.checkers.calls import Call
from harness.checkers.case import ALLOWANCE_S, Case
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule, rule_across, unclear
from harness.checkers.pinged import Pinged, in_time_until, interval_s, pinged_in
from harness.core.history import CloseKind, F

GONE_S = 2.0
"""A connection that a client closed so long ago is closed for the server too."""

UNREGISTER_S = 0.5
"""A server may forget a connection this long after it ended the response."""


@rule_across("ping/unique-connection")
def unique_connection(channels: Sequence[Case]) -> Iterator[Look]:
    """ "connection ids are never shared by two streams"."""
    owners: dict[str, Conn] = {}
    for conn in (conn for case in channels for conn in case.conns):
        name = conn.connection_id
        if not name or conn.ping is None:
            continue
        owner = owners.setdefault(name, conn)
        if owner is not conn and owner.ping is not None:
            sentence = (
                f"{owner.named} and {conn.named} were both given id {quoted(name)}"
            )
            yield broken(sentence, owner.ping.n, conn.ping.n)
        elif len(owners) > 1:
            yield HELD


@rule("ping/silent-dropped")
def silent_dropped(case: Case) -> Iterator[Look]:
    """ "a connection that is not pinged is ended within interval + grace"."""
    for pinged in pinged_in(case):
        if pinged.conn.reset is None:
            yield from _dropped(case, pinged)
            yield from _left(case, pinged)


def _last_touch_s(pinged: Pinged, before_s: float) -> float:
    """The last time at which a ping may have reached the server."""
    touches = [
        call.done_s if call.ok else inf
        for call in pinged.pings
        if call.invoke.t_s < before_s and not call.failed
    ]
    return max(pinged.since_s, *touches) if touches else pinged.since_s


def _dropped(case: Case, pinged: Pinged) -> Iterator[Look]:
    conn = pinged.conn
    touch_s = _last_touch_s(pinged, conn.end_s)
    due_s = touch_s + case.silence_s + case.tolerances.ping_ms / 1000 + ALLOWANCE_S
    if touch_s == inf:
        return
    if not case.undisturbed(conn, conn.opened.t_s, min(due_s, conn.end_s)):
        return
    if conn.end_s <= due_s:
        ended = conn.server_ended and conn.end_s - touch_s > case.silence_s / 4
        if ended and (not conn.opened.pings or _unpinged(case, pinged, touch_s)):
            yield HELD
        return
    late_s = conn.end_s - due_s
    how = f"was ended at {conn.end_s:.2f} s" if conn.closed else "is still open"
    sentence = (
        f"{conn.named}, last pinged or greeted at {touch_s:.2f} s, {how}, "
        f"{late_s:.2f} s later than interval, grace and tolerance allow"
    )
    ops = (conn.opened.n, conn.closed.n if conn.closed else None)
    if late_s <= case.slack_s(touch_s, conn.end_s):
        yield unclear(sentence, *ops)
    else:
        yield broken(sentence, *ops)


def _unpinged(case: Case, pinged: Pinged, touch_s: float) -> bool:
    """Whether it ended because its pings had stopped, not while they came."""
    return pinged.conn.end_s - touch_s >= case.silence_s * 0.9


def _left(case: Case, pinged: Pinged) -> Iterator[Look]:
    """A ping past the deadline meets no connection: it "leaves the channel"."""
    conn = pinged.conn
    if conn.opened.pings and conn.closed is None:
        return
    for call in pinged.pings:
        touch_s = _last_touch_s(pinged, call.invoke.t_s)
        due_s = touch_s + case.silence_s + case.tolerances.ping_ms / 1000
        due_s += ALLOWANCE_S + case.slack_s(pinged.since_s, call.done_s)
        if conn.server_ended and conn.calm(conn.opened.t_s, conn.end_s):
            slack_s = case.slack_s(conn.end_s, call.done_s)
            due_s = min(due_s, conn.end_s + UNREGISTER_S + slack_s)
        served = case.lives.up(conn.opened.t_s, call.invoke.t_s)
        if not served or not case.faults.running(conn.opened.t_s, call.invoke.t_s):
            continue
        ended = conn.server_ended and call.invoke.t_s > conn.end_s + UNREGISTER_S
        dropped = ended and conn.calm(conn.opened.t_s, conn.end_s)
        if (dropped or call.invoke.t_s > due_s) and call.status:
            if call.status == 404:
                yield HELD
            else:
                sentence = (
                    f"{conn.named}, not pinged since {touch_s:.2f} s, was still known "
                    f"at {call.invoke.t_s:.2f} s: a ping was answered {call.status}"
                )
                yield broken(sentence, call.n, call.done_n)


@rule("ping/pinged-kept")
def pinged_kept(case: Case) -> Iterator[Look]:
    """ "a connection that is pinged in time is never ended for silence"."""
    for pinged in pinged_in(case):
        if pinged.conn.reset is None:
            look = _disowned(case, pinged) or _kept(case, pinged)
            if look is not None:
                yield look


def _disowned(case: Case, pinged: Pinged) -> Look | None:
    """A ping in time that met no connection, though the stream went on."""
    conn = pinged.conn
    for n, call in enumerate(pinged.pings):
        if call.status != 404 or call.invoke.uid != conn.opened.uid:
            continue
        before = replace(pinged, pings=pinged.pings[:n])
        in_time = in_time_until(case, before, call.invoke.t_s) >= call.invoke.t_s
        until_s = call.done_s + UNREGISTER_S
        until_s += case.slack_s(call.invoke.t_s, until_s)
        went_on = pinged.since_s < call.invoke.t_s and until_s < conn.end_s
        if in_time and went_on and case.undisturbed(conn, conn.opened.t_s, until_s):
            sentence = (
                f"{conn.named} was open, and its ping at {call.invoke.t_s:.2f} s was "
                f"answered {call.status}"
            )
            return broken(sentence, conn.opened.n, call.n, call.done_n)
    return None


def _kept(case: Case, pinged: Pinged) -> Look | None:
    """Broken when it ended unhurt and in time; held when it outlived every limit."""
    conn = pinged.conn
    unhurt_s = _unhurt_until(case, conn)
    kept_s = in_time_until(case, pinged, unhurt_s)
    lived_s = kept_s - pinged.since_s
    ended = conn.server_ended and kept_s >= conn.end_s
    if ended and conn.closed and lived_s >= interval_s(case, conn) * 0.9:
        made = len(pinged.pings)
        how = f"was pinged in time ({made} pings)" if made else "had no ping due yet"
        sentence = (
            f"{conn.named} {how} and was still ended by the server "
            f"({conn.closed.kind}) after {lived_s:.2f} s"
        )
        return broken(sentence, conn.opened.n, conn.closed.n)
    silence_s = case.silence_s + case.tolerances.ping_ms / 1000
    return HELD if not ended and lived_s > silence_s else None


def _unhurt_until(case: Case, conn: Conn) -> float:
    """The end of a connection, or what first disturbed it; ends just before that."""
    starts = [a for a, b in [*conn.holds, *case.lives.down] if b >= conn.opened.t_s]
    first_s = min(starts, default=inf)
    return conn.end_s if first_s > conn.end_s else first_s - 1e-6


@rule("ping/unknown-refused")
def unknown_refused(case: Case) -> Iterator[Look]:
    """ "a ping for an unknown or closed connection is refused with 404"."""
    owners: dict[str, list[Conn]] = {}
    for conn in case.conns:
        owners.setdefault(conn.connection_id, []).append(conn)
    for call in case.calls.by_f[F.PING]:
        if not call.status or not case.lives.up(call.invoke.t_s, call.done_s):
            continue
        known = owners.get(call.invoke.about, []) if call.invoke.about else []
        if all(_surely_gone(case, conn, call) for conn in known):
            if call.status == 404:
                yield HELD
            else:
                whose = known[0].named if known else "no connection"
                sentence = (
                    f"a ping for id {quoted(call.invoke.about)} of {whose}, gone by "
                    f"{call.invoke.t_s:.2f} s, was answered {call.status}"
                )
                yield broken(sentence, call.n, call.done_n)


def _surely_gone(case: Case, conn: Conn, call: Call) -> bool:
    t_s = call.invoke.t_s
    if conn.life is not None and call.life is not None and conn.life != call.life:
        return conn.life < call.life
    if conn.closed is None or not case.faults.running(conn.end_s, t_s):
        return False
    if conn.closed.kind is CloseKind.END:
        return conn.end_s + UNREGISTER_S < t_s
    return conn.end_s + GONE_S < t_s and conn.calm(conn.opened.t_s, conn.end_s)
