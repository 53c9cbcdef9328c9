"""Rules for writes and their refusal: write/* of docs/protocol.md section 4."""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import unquote

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, broken, quoted, rule, short
from harness.checkers.pinged import ended_in_time
from harness.checkers.shown import LifeModel
from harness.checkers.shown import Look as Shown
from harness.checkers.snapshot import excused
from harness.checkers.sse import read_json
from harness.checkers.taken import turned_down
from harness.checkers.traces import Traces
from harness.core.history import CloseKind, F
from harness.core.profile import WINDOWED

CLOSED = (CloseKind.RST, CloseKind.FIN)

AFTER_S = 1.0
"""A stream that ends so soon after a bad input was ended by it."""


@rule("write/interactive-only", WINDOWED)
def interactive_only(case: Case) -> Iterator[Look]:
    """ "update and delete of a message outside the window are refused and make no
    event"; those of one inside it are not.
    """
    for call in case.calls.writes:
        why = outside(case, call)
        if why and call.done is not None:
            look = _refused(case, call, why)
        elif call.invoke.f is not F.CREATE:
            look = turned_down(case, call)
        else:
            continue
        if look is not None:
            yield look


def outside(case: Case, call: Call) -> str:
    """Why a message was surely not interactive; "" when it may have been."""
    model = case.models.get(call.era) if call.era is not None else None
    if call.invoke.f is F.CREATE or model is None:
        return ""
    about = call.invoke.about
    if about in model.gone:
        if model.order.low(call.invoke.t_s) < model.gone[about]:
            return ""
        return f"it had left the window with event {model.gone[about]}"
    watched = call.invoke.t_s >= model.order.since_s and model.ids_known
    hidden = any(other.invoke.f is F.CREATE for other in model.order.unplaced)
    if watched and not hidden and about not in model.ids and model.blind_at is None:
        return "it was never issued"
    return ""


def _refused(case: Case, call: Call, why: str) -> Look | None:
    about, status = call.invoke.about, call.status
    what = f"the {call.invoke.f} of message {quoted(about)} ({why})"
    if _has_event(case, call):
        return broken(f"{what} made an event", call.n, call.done_n)
    if call.ok or status >= 500:
        return broken(f"{what} was answered {status}", call.n, call.done_n)
    if not status:
        return None
    good = status == 404 or (not about.isdecimal() and 400 <= status < 500)
    if good:
        return HELD
    return broken(f"{what} was answered {status}, not 404", call.n, call.done_n)


def _has_event(case: Case, call: Call) -> bool:
    if call.invoke.f is F.DELETE:
        order = case.orders.get(call.era or 0)
        return order is not None and call in order.by_write
    return call in case.told


@rule("write/window-eviction", WINDOWED)
def window_eviction(case: Case) -> Iterator[Look]:
    """ "a new message pushes the oldest out of a full window, for server and client
    alike".
    """
    for model in case.models.values():
        if model.pushed:
            for shown in model.looks:
                look = _pushed_out(model, shown)
                if look is not None:
                    yield look
            yield from _not_patchable(case, model)


def _pushed_out(model: LifeModel, shown: Shown) -> Look | None:
    first = model.pushed[0][0]
    if not shown.judged or shown.low < first:
        return None
    call = shown.snapshot.call
    if shown.fits is not None:
        return HELD
    texts = {text for _, text in shown.texts}
    for place, mid, text in model.pushed:
        if place <= shown.low and text in texts:
            sentence = (
                f"message {mid} was pushed out with event {place} and is still in the "
                f"/init answer to {shown.snapshot.who}"
            )
            return broken(sentence, call.n, call.done_n)
    due = [message.signature for message in shown.expected]
    missing = len(due) - len(shown.texts)
    if missing > 0 and due[missing:] == shown.texts and not excused(shown):
        sentence = (
            f"the /init answer to {shown.snapshot.who} shows {len(shown.texts)} "
            f"messages, {len(due)} were due: more than the oldest was pushed out"
        )
        return broken(sentence, call.n, call.done_n)
    return None


def _not_patchable(case: Case, model: LifeModel) -> Iterator[Look]:
    pushed = {mid: place for place, mid, _ in model.pushed if mid}
    for call in case.calls.writes:
        if call.era != model.order.life or call.invoke.f is F.CREATE:
            continue
        place = pushed.get(call.invoke.about)
        if place is None or model.order.low(call.invoke.t_s) < place:
            continue
        if call.ok:
            sentence = (
                f"message {call.invoke.about} was pushed out with event {place} and "
                f"its {call.invoke.f} was still answered {call.status}"
            )
            yield broken(sentence, call.n, call.done_n)
        elif call.status == 404:
            yield HELD


@rule("write/bad-input")
def bad_input(case: Case) -> Iterator[Look]:
    """ "bad input: 4xx and an error body; nothing stored, nothing sent, the stream
    goes on"; and what is good is not called bad.
    """
    for call in case.calls.writes:
        if call.invoke.f is F.CREATE or case.profile not in WINDOWED:
            look = turned_down(case, call)
            if look is not None:
                yield look
    calls = case.calls.by_f[F.BAD_INPUT]
    if not calls:
        return
    traces = Traces(case)
    for call in calls:
        if call.broken_off or (call.failed and not call.status):
            continue
        if _hung_up_on(case, call):
            continue
        quiet = case.faults.quiet(call.invoke.who, call.invoke.t_s, call.done_s)
        if quiet and case.lives.up(call.invoke.t_s, call.done_s):
            look = None if call.left else _rejected(call)
            look = look or _stored(call, traces)
            if look is not None:
                yield look
            elif call.status not in (0, HTTPStatus.TOO_MANY_REQUESTS):
                yield HELD
        yield from _streams_on(case, call)


def _hung_up_on(case: Case, call: Call) -> bool:
    """A server may refuse an oversized body and close before it has read it all.

    The reset that this makes can overtake the answer on its way to the client, so a
    missing answer says nothing here.
    """
    request = call.invoke.request
    oversized = request is not None and request.size > case.limits.max_body_bytes
    error = getattr(call.done, "error", "")
    return oversized and not call.status and error.startswith(CLOSED)


def _rejected(call: Call) -> Look | None:
    what = f"bad input {quoted(call.invoke.about)}"
    if not call.status:
        error = getattr(call.done, "error", "")
        sentence = f"{what} got no answer: {short(error)}"
        return broken(sentence, call.n, call.done_n)
    if not 400 <= call.status < 500:
        return broken(f"{what} was answered {call.status}", call.n, call.done_n)
    if not _is_readable(call):
        return None  # whoever routes it may refuse it, and knows no error body
    body = read_json(call.answer.body) if call.answer else None
    error = body.get("error") if isinstance(body, dict) else None
    code, message = (
        (error.get("code"), error.get("message"))
        if isinstance(error, dict)
        else ("", "")
    )
    if not (isinstance(code, str) and code and isinstance(message, str)):
        found = call.answer.body if call.answer else ""
        sentence = f"{what} was answered {call.status} with body {quoted(found)}"
        return broken(sentence, call.n, call.done_n)
    return None


def _is_readable(call: Call) -> bool:
    """Whether the path is text at all: its escapes may be no UTF-8."""
    request = call.invoke.request
    try:
        unquote(request.path if request else "", errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _stored(call: Call, traces: Traces) -> Look | None:
    found = traces.of(call.invoke.text, call.invoke.nonce)
    if found is None:
        return None
    sentence = f"bad input {quoted(call.invoke.about)} was stored or sent"
    return broken(sentence, call.n, call.done_n, found)


def _streams_on(case: Case, call: Call) -> Iterator[Look]:
    until_s = min(call.done_s, call.invoke.t_s + AFTER_S) + AFTER_S
    for conn in case.by_who.get(case.witness, []):
        if _ended_within(case, conn, call.invoke.t_s, until_s) and conn.closed:
            sentence = (
                f"{conn.named} was ended ({conn.closed.kind}) at {conn.end_s:.2f} s, "
                f"right after bad input {quoted(call.invoke.about)}"
            )
            yield broken(sentence, call.n, conn.closed.n)


def _ended_within(case: Case, conn: Conn, from_s: float, to_s: float) -> bool:
    if not from_s <= conn.end_s <= to_s or conn.reset is not None:
        return False
    calm = case.undisturbed(conn, conn.opened.t_s, conn.end_s)
    return calm and ended_in_time(case, conn)
