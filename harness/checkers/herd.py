"""The rule of load/herd (docs/protocol.md section 4).

"all clients reconnecting at once are served; `retry` is spread". A herd is many clients
that were there before a restart and come back within a second after it.
"""

from collections.abc import Iterator, Sequence

from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.lives import LifeSpan
from harness.checkers.look import HELD, Look, broken, rule, unclear
from harness.checkers.sse import retry_of
from harness.core.history import F

HERD = 20
"""From so many on it is one."""

AT_ONCE_S = 1.0

SPREAD = 0.1
"""Reconnection times differ by at least this share of the shortest."""

OVERLOADED = (429, 500, 502, 503, 504)


@rule("load/herd")
def herd(case: Case) -> Iterator[Look]:
    """Each life of the server to which a herd came back."""
    for span in case.lives.spans[1:]:
        came = _herd(case, span)
        if len(came) >= HERD:
            yield from _served(case, span, came)
            yield from _snapshots(case, span, came)
            yield from _spread(came)


def _herd(case: Case, span: LifeSpan) -> list[Conn]:
    """The first connection of each that had one before, made almost at once."""
    before = {c.who for c in case.conns if c.opened.t_s < span.started_s}
    first: dict[str, Conn] = {}
    for conn in case.conns:
        if conn.who in before and span.ready_s <= conn.opened.t_s < span.exited_s:
            first.setdefault(conn.who, conn)
    if not first:
        return []
    began_s = min(conn.opened.t_s for conn in first.values())
    slack_s = case.slack_s(began_s, began_s + AT_ONCE_S)
    until_s = began_s + AT_ONCE_S + slack_s
    return [conn for conn in first.values() if conn.opened.t_s <= until_s]


def _served(case: Case, span: LifeSpan, came: Sequence[Conn]) -> Iterator[Look]:
    """Each gets its stream: not turned away, not hung up on, not left waiting."""
    for conn in came:
        first_s = conn.ping.t_s if conn.ping is not None else conn.end_s
        if not case.undisturbed(conn, conn.opened.t_s, first_s):
            continue
        waited_s = first_s - conn.opened.t_s
        late_s = waited_s - case.settle_s
        sentence = f"{conn.named}, one of {len(came)} that came back at once after "
        sentence += f"the restart at {span.started_s:.2f} s, "
        ended = conn.closed if conn.server_ended else None
        if conn.responded is not None and conn.responded.status != 200:
            sentence += f"was answered {conn.responded.status}"
            yield broken(sentence, conn.opened.n, conn.responded.n)
        elif conn.ping is None and ended is not None:
            sentence += f"was hung up on ({ended.kind})"
            yield broken(sentence, conn.opened.n, ended.n)
        elif late_s > 0:
            sentence += f"had no first frame within {case.settle_s:g} s"
            unsure = late_s <= case.slack_s(conn.opened.t_s, first_s)
            yield (unclear if unsure else broken)(sentence, conn.opened.n)
        elif conn.ping is not None:
            yield HELD


def _snapshots(case: Case, span: LifeSpan, came: Sequence[Conn]) -> Iterator[Look]:
    """Nor is it turned away when it asks for its snapshot."""
    whom = {conn.who for conn in came}
    for call in case.calls.by_f[F.INIT]:
        mine = call.invoke.who in whom and call.life == span.number
        if mine and call.invoke.t_s >= span.ready_s and call.status in OVERLOADED:
            if not case.lives.up(call.invoke.t_s, call.done_s):
                continue
            sentence = (
                f"{call.invoke.who}, one of {len(came)} that came back at once, was "
                f"answered {call.status} when it asked for its snapshot"
            )
            yield broken(sentence, call.n, call.done_n)


def _spread(came: Sequence[Conn]) -> Iterator[Look]:
    """The reconnection times that they were given."""
    given = {c.ping.n: _retry_ms(c) for c in came if c.ping is not None}
    told = sorted(ms for ms in given.values() if ms is not None)
    if len(given) < HERD:
        return
    if len(told) < len(given):
        without = len(given) - len(told)
        sentence = f"{without} of {len(given)} clients were given no `retry`"
        n = next(n for n, ms in given.items() if ms is None)
        yield broken(f"{sentence}: all come back after the same default", n)
    elif told[-1] - told[0] < SPREAD * told[0] or len(set(told)) < len(told) / 10:
        sentence = (
            f"`retry` is not spread: {len(told)} clients were given {len(set(told))} "
            f"different values from {told[0]} to {told[-1]} ms"
        )
        yield broken(sentence, *list(given)[:2])
    else:
        yield HELD


def _retry_ms(conn: Conn) -> int | None:
    """What its first frames say; a browser keeps the last that it read."""
    told = [retry_of(sight.frame.text) for sight in conn.controls]
    return next((ms for ms in reversed(told) if ms is not None), None)
