"""Rules for a database that refuses: init/from-cache, write/before-broadcast.

While the storage is away or full no write that begins can be committed: that much is
certain without a look into the database.
"""

from collections.abc import Iterator
from http import HTTPStatus

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.fates import fates
from harness.checkers.faults import FaultSpan
from harness.checkers.look import HELD, Look, broken, quoted, rule, short, unclear
from harness.checkers.pinged import ended_in_time
from harness.checkers.snapshot import excused, misfit
from harness.checkers.sse import Block
from harness.core.fault import FaultKind
from harness.core.history import F
from harness.core.profile import Profile

AFTER_S = 1.0
"""A stream that ends so soon after a refusal was ended by it."""


@rule("init/from-cache", (Profile.BROADCAST,))
def from_cache(case: Case) -> Iterator[Look]:
    """ "/init reads no database: it answers, and right, while the database is away"."""
    barred = barred_writes(case)
    for span in case.faults.barred:
        if span.fault.kind is not FaultKind.STORAGE_AWAY:
            continue
        for call in case.calls.by_f[F.INIT]:
            if _is_held(span, call) and _is_undisturbed(case, call):
                look = _unanswered(span, call) or _right(case, span, call, barred)
                if look is not None:
                    yield look


def barred_writes(case: Case) -> set[Call]:
    """Writes that began while none could be committed."""
    return {
        call
        for span in case.faults.barred
        for call in case.calls.writes
        if _is_held(span, call)
    }


def _is_held(span: FaultSpan, call: Call) -> bool:
    return span.held_s <= call.invoke.t_s < span.loose_s


def _is_undisturbed(case: Case, call: Call) -> bool:
    """Whether nothing but the storage stood between a call and its answer."""
    from_s, to_s = call.invoke.t_s, min(call.done_s, case.end_s)
    quiet = case.faults.quiet(call.invoke.who, from_s, to_s, storage=False)
    return quiet and not call.broken_off and case.lives.up(from_s, to_s)


def _unanswered(span: FaultSpan, call: Call) -> Look | None:
    if call.ok:
        return None
    error = getattr(call.done, "error", "")
    what = f"was answered {call.status}" if call.status else f"got none: {short(error)}"
    sentence = f"/init of {call.invoke.who} {what}, while the database was away"
    return broken(sentence, span.call.n, call.n, call.done_n)


def _right(case: Case, span: FaultSpan, call: Call, barred: set[Call]) -> Look | None:
    shown = case.looks.get(call)
    if shown is None or not shown.judged or call.done_s > span.loose_s:
        return None
    if shown.fits is not None:
        return HELD
    return None if excused(shown, barred) else misfit(shown)


@rule("write/before-broadcast")
def before_broadcast(case: Case) -> Iterator[Look]:
    """ "no event for a write that the database refused; the caller gets a 5xx and can
    try again".
    """
    for span in case.faults.barred:
        yield from _too_early(case, span)
        yield from _told(case, span)
        yield from _in_vain(case, span)
        yield from _streams_on(case, span)
    yield from fates(case)


def _too_early(case: Case, span: FaultSpan) -> Iterator[Look]:
    """Events of writes that cannot have been committed by then."""
    for era, seen in case.sighted.items():
        for block, t_s in seen.items():
            if span.held_s <= t_s <= span.loose_s:
                writes = _behind(case, block, era)
                if writes and all(one.invoke.t_s >= span.held_s for one in writes):
                    sentence = (
                        f"the {block.kind} event {quoted(block.id)} was sent by "
                        f"{t_s:.3f} s; its write began at {writes[0].invoke.t_s:.3f} "
                        f"s, and {_says(span)} since {span.held_s:.3f} s"
                    )
                    n = _sighting(case, block, t_s)
                    yield broken(sentence, span.call.n, writes[0].n, n)


def _behind(case: Case, block: Block, era: int) -> list[Call]:
    """Every write that an event may tell of."""
    if block.kind == "delete":
        return case.matching.deletes_of(block.message_id, era)
    found = case.matching.write_of(block, era)
    return [] if found is None else [found]


def _sighting(case: Case, block: Block, t_s: float) -> int | None:
    return next(
        (
            sight.n
            for conn in case.conns
            for sight in conn.events
            if sight.block is block and sight.t_s == t_s
        ),
        None,
    )


def _says(span: FaultSpan) -> str:
    away = span.fault.kind is FaultKind.STORAGE_AWAY
    return "the database was away" if away else "the database was full"


def _told(case: Case, span: FaultSpan) -> Iterator[Look]:
    """What the callers heard of writes that cannot have been committed."""
    for call in case.calls.writes:
        if not _is_held(span, call) or not _is_undisturbed(case, call):
            continue
        what = f"the {call.invoke.f} at {call.invoke.t_s:.3f} s"
        ops = (span.call.n, call.n, call.done_n)
        if call.status >= 500:
            yield HELD
        elif call.ok and call.done_s <= span.loose_s:
            yield broken(f"{what} was answered {call.status}; {_says(span)}", *ops)
        elif call.failed and _blames_caller(call):
            yield broken(
                f"{what} was answered {call.status}, as if it were the caller's fault; "
                f"{_says(span)}",
                *ops,
            )
        elif not call.status and not call.failed:
            error = short(getattr(call.done, "error", ""))
            yield unclear(f"{what} got no answer ({error}); {_says(span)}", *ops)


def _blames_caller(call: Call) -> bool:
    """A new message has nothing that could be refused, but for its writer's haste."""
    is_new = call.invoke.f is F.CREATE
    return is_new and bool(call.status) and call.status != HTTPStatus.TOO_MANY_REQUESTS


def _in_vain(case: Case, span: FaultSpan) -> Iterator[Look]:
    """Writes that were refused though the database had long been back."""
    from_s = span.to_s + case.settle_s
    for call in case.calls.writes:
        if call.invoke.t_s < from_s or call.status < 500:
            continue
        calm = case.faults.quiet(call.invoke.who, call.invoke.t_s, call.done_s)
        if calm and case.lives.up(span.from_s, call.done_s):
            sentence = (
                f"the {call.invoke.f} at {call.invoke.t_s:.3f} s was answered "
                f"{call.status}, though the database was back at {span.to_s:.3f} s"
            )
            yield broken(sentence, span.call.n, call.n, call.done_n)


def _streams_on(case: Case, span: FaultSpan) -> Iterator[Look]:
    """Streams that a database's trouble ended, though they need none.

    `log` may need one: "a reconnect is answered from the database".
    """
    if case.profile is Profile.LOG:
        return
    for conn in case.conns:
        if conn.opened.pings and conn.ping and conn.opened.t_s < span.held_s:
            what = _broken_off(case, span, conn)
            if what:
                ended = conn.reset or conn.closed
                sentence = f"{conn.named} was {what}; {_says(span)}"
                yield broken(sentence, span.call.n, ended.n if ended else None)


def _broken_off(case: Case, span: FaultSpan, conn: Conn) -> str:
    to_s = span.loose_s + AFTER_S
    if not case.undisturbed(conn, span.held_s, min(to_s, conn.end_s)):
        return ""
    if conn.reset is not None:
        reset = span.held_s <= conn.reset.t_s <= to_s
        return f"reset at {conn.reset.t_s:.3f} s" if reset else ""
    ended = span.held_s <= conn.end_s <= to_s and ended_in_time(case, conn)
    return f"ended by the server at {conn.end_s:.3f} s" if ended else ""
