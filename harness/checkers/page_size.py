"""The rule for the size of a personal chat's pages: history/page-size."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from harness.checkers.calls import Call, Walk, page_of
from harness.checkers.case import PAGE, Case
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.sse import read_json
from harness.core.history import F
from harness.core.profile import PERSONAL


@rule("history/page-size", PERSONAL)
def page_size(case: Case) -> Iterator[Look]:
    """ "200 a page, more right"."""
    for call in [*case.calls.by_f[F.INIT], *case.calls.by_f[F.HISTORY]]:
        if page_of(call) is not None:
            look = _wrong_by_itself(call)
            if look is not None:
                yield look
    for walk in case.calls.walks:
        if walk.finished and not _deleted_meanwhile(case, walk):
            yield from _told_right(case, walk)


def _more(call: Call) -> Any:
    body = read_json(call.answer.body) if call.answer else None
    return body.get("more") if isinstance(body, dict) else None


def _wrong_by_itself(call: Call) -> Look | None:
    size, more = len(page_of(call) or ()), _more(call)
    if size > PAGE:
        what = f"holds {size} messages"
    elif not isinstance(more, bool):
        what = f"says more: {quoted(more)}"
    elif more and size < PAGE:
        what = f"holds {size} messages and says that there are more"
    else:
        return None
    sentence = f"a page for {call.invoke.who} {what}; {PAGE} make a page"
    return broken(sentence, call.n, call.done_n)


def _told_right(case: Case, walk: Walk) -> Iterator[Look]:
    """What `more` says of a page shows in the next; seen where there is a next."""
    calls = [*_before(case, walk), *walk.calls]
    for call, after in pairwise(calls):
        more, found = _more(call), bool(page_of(after))
        if isinstance(more, bool) and more != found:
            told = "that there are no" if found else "that there are"
            sentence = (
                f"a page for {call.invoke.who} says {told} more messages, and the next "
                f"has {len(page_of(after) or ())}"
            )
            yield broken(sentence, call.n, call.done_n, after.n, after.done_n)
        elif more:
            yield HELD


def _before(case: Case, walk: Walk) -> list[Call]:
    """The snapshot from which a walk went back."""
    first = walk.calls[0]
    asked = [
        call
        for call in case.calls.by_f[F.INIT]
        if call.invoke.who == first.invoke.who and call.n < first.n
    ]
    return asked[-1:]


def _deleted_meanwhile(case: Case, walk: Walk) -> bool:
    before = [*_before(case, walk), *walk.calls]
    from_s, to_s = before[0].invoke.t_s, before[-1].done_s
    return any(
        call.invoke.f is F.DELETE
        and not call.failed
        and call.invoke.t_s <= to_s
        and call.done_s >= from_s
        for call in case.calls.writes
    )
