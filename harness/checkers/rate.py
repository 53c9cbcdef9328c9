"""The rule for too many messages: write/rate-limit.

Section 3: "More than one message a second from a uid: 429 with Retry-After, nothing
stored, nothing sent", and "the rate limit counts POST /messages only, not the
operator's".
"""

from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import pairwise
from math import inf

from harness.checkers.calls import Call
from harness.checkers.case import ALLOWANCE_S, Case
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.traces import Traces
from harness.core.history import F
from harness.core.profile import PERSONAL

EVERY_S = 1.0
TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS.value


@rule("write/rate-limit", PERSONAL)
def rate_limit(case: Case) -> Iterator[Look]:
    """ "the second message within a second: 429, nothing stored, nothing sent"."""
    creates = case.calls.by_f[F.CREATE]
    own = sorted((c for c in creates if c.own), key=lambda c: c.invoke.t_s)
    yield from _too_soon([call for call in own if call.ok])
    refused = [call for call in own if call.status == TOO_MANY]
    traces = Traces(case) if refused else None
    for call in refused:
        assert traces is not None
        look = _without_hint(call) or _left_a_trace(call, traces)
        look = look or _deserved(call, own, case)
        if look is not None:
            yield look
    for call in creates:
        if not call.own and call.status == TOO_MANY:
            sentence = f"the support side was answered {TOO_MANY}, which it never is"
            yield broken(sentence, call.n, call.done_n)


def _too_soon(accepted: Sequence[Call]) -> Iterator[Look]:
    """Both arrived between the asking of the one and the answer to the other."""
    for one, other in pairwise(accepted):
        within_s = max(one.done_s, other.done_s) - one.invoke.t_s
        if one.life is None or one.life != other.life:
            continue
        if within_s < EVERY_S - ALLOWANCE_S:
            sentence = (
                f"messages {quoted(one.invoke.text)} and {quoted(other.invoke.text)} "
                f"of one uid were both accepted within {within_s:.2f} s"
            )
            yield broken(sentence, one.n, one.done_n, other.n, other.done_n)


def _without_hint(call: Call) -> Look | None:
    assert call.answer is not None
    given = call.answer.headers.get("retry-after", "")
    if given.strip().isdecimal() or _is_date(given):
        return None
    sentence = (
        f"{TOO_MANY} came with Retry-After {quoted(given) if given else 'absent'}"
    )
    return broken(sentence, call.n, call.done_n)


def _is_date(text: str) -> bool:
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return False
    return True


def _left_a_trace(call: Call, traces: Traces) -> Look | None:
    found = traces.of(f'"{call.invoke.nonce}"' if call.invoke.nonce else "")
    if found is None:
        return None
    sentence = f"message {quoted(call.invoke.text)} was answered {TOO_MANY} and kept"
    return broken(sentence, call.n, call.done_n, found)


def _deserved(call: Call, own: Sequence[Call], case: Case) -> Look | None:
    """Broken without any other message of this second; a refused one is none.

    However late the harness was: the other had come before it was answered, and this
    one came after it was sent. Bad input may be counted or not: "the rate limit counts
    POST /messages".
    """
    since_s = call.invoke.t_s - EVERY_S - ALLOWANCE_S
    bad = [one for one in case.calls.by_f[F.BAD_INPUT] if _same_call(one, call)]
    near = [
        other
        for other in (*own, *bad)
        if other is not call
        and (other in bad or not other.failed)
        and other.invoke.t_s <= call.done_s
        and _come_by_s(other) >= since_s
    ]
    if not near:
        sentence = (
            f"message {quoted(call.invoke.text)} was answered {TOO_MANY}, though no "
            "other of its uid had been accepted for a second"
        )
        return broken(sentence, call.n, call.done_n)
    return HELD if any(other.ok for other in near) else None


def _come_by_s(call: Call) -> float:
    """By when it had come; without an answer it may still be on its way."""
    return call.done_s if call.status else inf


def _same_call(one: Call, other: Call) -> bool:
    mine, its = one.invoke.request, other.invoke.request
    if mine is None or its is None:
        return False
    return (mine.method, mine.path) == (its.method, its.path)
