"""The rule that nothing goes without a uid: private/uid-required."""

from collections.abc import Iterator

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule, short
from harness.checkers.traces import Traces
from harness.core.history import F
from harness.core.profile import PERSONAL

UNAUTHORIZED = 401


@rule("private/uid-required", PERSONAL)
def uid_required(case: Case) -> Iterator[Look]:
    """ "every endpoint without the uid: 401 and nothing else happens"."""
    calls = case.calls.by_f[F.NO_UID]
    if not calls:
        return
    traces = Traces(case)
    for call in calls:
        if call.broken_off or (call.failed and not call.status):
            continue
        quiet = case.faults.quiet(call.invoke.who, call.invoke.t_s, call.done_s)
        if quiet and case.lives.up(call.invoke.t_s, call.done_s):
            yield _turned_away(call) or _happened(call, traces) or HELD


def _turned_away(call: Call) -> Look | None:
    request, what = call.invoke.request, quoted(call.invoke.about)
    asked = f"{request.method} {request.path}" if request else "a call"
    if not call.status:
        error = short(getattr(call.done, "error", ""))
        sentence = f"{asked} with {what} got no answer: {error}"
        return broken(sentence, call.n, call.done_n)
    if call.status != UNAUTHORIZED:
        sentence = f"{asked} with {what} was answered {call.status}"
        return broken(sentence, call.n, call.done_n)
    return None


def _happened(call: Call, traces: Traces) -> Look | None:
    found = traces.of(call.invoke.text)
    if found is None:
        return None
    sentence = f"what was sent with {quoted(call.invoke.about)} was stored or sent"
    return broken(sentence, call.n, call.done_n, found)
