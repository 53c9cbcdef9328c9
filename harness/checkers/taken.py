"""Good writes that are turned down: "can be updated or deleted" (docs/protocol.md 1).

Only what is certain: a new message is good by itself, a change where the message was
surely there all the while that the server had for its answer.
"""

from http import HTTPStatus
from math import inf

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.look import Look, broken, quoted, short
from harness.checkers.order import Order
from harness.core.history import F


def turned_down(case: Case, call: Call) -> Look | None:
    """A look at a good write that was refused; None where it may be."""
    hasty = call.status == HTTPStatus.TOO_MANY_REQUESTS and call.invoke.f is F.CREATE
    if hasty or not 400 <= call.status < 500:
        return None
    if not case.faults.quiet(call.invoke.who, call.invoke.t_s, call.done_s):
        return None
    if not case.lives.up(call.invoke.t_s, call.done_s):
        return None
    what = f"a message {quoted(call.invoke.text)}"
    if call.invoke.f is not F.CREATE:
        if not _was_there(case, call):
            return None
        what = f"the {call.invoke.f} of message {quoted(call.invoke.about)}, there then"
    body = call.answer.body if call.answer else ""
    sentence = f"{what}, was answered {call.status}: {short(body)}"
    return broken(sentence, call.n, call.done_n)


def _was_there(case: Case, call: Call) -> bool:
    """Whether its message was made before the call and left only after the answer."""
    model = case.models.get(call.era) if call.era is not None else None
    if model is None or model.blind_at is not None or model.reused:
        return False
    order, about = model.order, call.invoke.about
    if call.invoke.t_s < order.since_s or _hidden(order, call):
        return False
    left = model.gone.get(about, inf)
    made = (
        place
        for place, entry in enumerate(order.entries, 1)
        if entry.block.kind == "create" and entry.block.message_id == about
    )
    return next(made, inf) <= order.low(call.invoke.t_s) and (
        left > order.high(call.done_s)
    )


def _hidden(order: Order, call: Call) -> bool:
    """Whether a write whose event nobody saw may have taken the message away."""
    return any(
        not other.failed and other.invoke.t_s <= call.done_s for other in order.unplaced
    )
