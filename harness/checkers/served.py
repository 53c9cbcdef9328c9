"""Good questions that get no good answer, though nothing is in the way."""

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.look import Look, broken, short
from harness.core.fault import OF_STORAGE, FaultKind


def unserved(case: Case, call: Call, *, any_error: bool = True) -> Look | None:
    """A look at a question that was answered by an error; None where it may be.

    Without `any_error` the server may turn the question down, but not fail at it.
    """
    least = 400 if any_error else 500
    if call.status < least or not case.lives.up(call.invoke.t_s, call.done_s):
        return None
    if not case.faults.quiet(call.invoke.who, call.invoke.t_s, call.done_s):
        return None
    if _recovers(case, call):
        return None
    request = call.invoke.request
    asked = f"{request.method} {request.path}" if request else str(call.invoke.f)
    query = "&".join(f"{k}={v}" for k, v in request.query.items()) if request else ""
    what = f"{asked}{'?' if query else ''}{query}"
    body = call.answer.body if call.answer else ""
    sentence = f"{what} was answered {call.status}: {short(body)}"
    return broken(sentence, call.n, call.done_n)


def _recovers(case: Case, call: Call) -> bool:
    """A pool of connections to the database may take a while to notice that it is back.

    It has as long as everybody has to settle when faults have ended.
    """
    return any(
        span.fault.kind in (*OF_STORAGE, FaultKind.PAUSE)
        and span.from_s <= call.done_s
        and call.invoke.t_s <= span.to_s + case.settle_s
        for span in case.faults.spans
    )
