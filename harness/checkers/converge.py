"""The rule of the end: "once faults end, every client's view equals the server's"."""

from collections.abc import Iterator
from typing import Any

from harness.checkers.calls import Snapshot, value_of
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule, short, unclear
from harness.checkers.snapshot import judged_last
from harness.checkers.sse import Block
from harness.core.history import CloseKind, F, Life, View
from harness.core.profile import WINDOWED

BACK_S = 0.5
"""Time for a snapshot."""


@rule("converge")
def converge(case: Case) -> Iterator[Look]:
    """ "once faults end, every client's view equals the server's"."""
    deaths = [span.death for span in case.lives.spans if span.death is not None]
    for death in deaths:
        yield _died(death)
    if not case.views or not case.complete:
        return
    final = _final(case)
    if final is None:
        look = _unanswered(case, bool(deaths))
        if look is not None:
            yield look
        return
    for view in case.views:
        yield from _agrees(case, view, final)
    look = judged_last(case, final.call)
    if look is not None:
        yield look


def _died(death: Life) -> Look:
    output = f"; its last output: {short(death.output.strip()[-200:], 200)}"
    sentence = (
        f"the server (life {death.life}) exited by itself at {death.t_s:.2f} s with "
        f"status {death.status}{output if death.output.strip() else ''}"
    )
    return broken(sentence, death.n)


def _final(case: Case) -> Snapshot | None:
    """The witness's snapshot that came after the views."""
    last = case.views[-1].n
    found = [
        snapshot
        for snapshot in case.calls.snapshots
        if snapshot.who == case.witness and snapshot.call.n > last
    ]
    return found[-1] if found else None


def _unanswered(case: Case, died: bool) -> Look | None:
    if died:
        return None
    asked = [
        call
        for call in case.calls.by_f[F.INIT]
        if call.invoke.who == case.witness and call.n > case.views[-1].n
    ]
    if not asked:
        return unclear("the history has no last snapshot of the witness")
    call = asked[-1]
    if call.broken_off:
        return unclear("the harness broke off its last snapshot", call.n)
    if not case.lives.up(call.invoke.t_s, min(call.done_s, case.end_s)):
        return unclear("the server was not up at the end", call.n)
    status = f"status {call.status}" if call.status else "nothing"
    sentence = f"the last snapshot was answered {status}"
    slack_s = case.slack_s(call.invoke.t_s, min(call.done_s, case.end_s))
    if not call.status and slack_s >= case.settle_s:
        return unclear(f"{sentence}, while the harness was late", call.n, call.done_n)
    return broken(sentence, call.n, call.done_n)


def _agrees(case: Case, view: View, final: Snapshot) -> Iterator[Look]:
    mine = [{"id": m.id, "value": m.value} for m in view.messages]
    theirs = final.messages
    if case.profile not in WINDOWED:
        mine, theirs = _both_look_back(case, view, mine, final)
    if mine == theirs:
        yield HELD
        return
    if _still_faulty(case, view) or _hung_up_on(case, view):
        return
    sentence = f"at the end {view.who} {_difference(mine, theirs)}"
    if _moving(case, view, final):
        yield unclear(f"{sentence}, with a write in flight", view.n, final.call.n)
    elif case.slack_s(view.t_s - case.settle_s, view.t_s) >= case.settle_s:
        yield unclear(sentence, view.n, final.call.n)
    else:
        yield broken(sentence, view.n, final.call.n, final.call.done_n)


def _both_look_back(
    case: Case, view: View, mine: list[Any], final: Snapshot
) -> tuple[list[Any], list[Any]]:
    """A personal snapshot may leave older messages out, and says so by `more`.

    The last one shows as much as it can; a view shows what its own began with, and all
    that came since.
    """
    theirs = final.messages
    if _leaves_out(final):
        mine = _from_first(mine, theirs)
    loaded = [s for s in case.calls.snapshots if s.who == view.who and s is not final]
    if loaded and _leaves_out(loaded[-1]):
        theirs = _from_first(theirs, loaded[-1].messages)
    return mine, theirs


def _from_first(messages: list[Any], known: list[Any]) -> list[Any]:
    """From the first message on that is among the known ones; all if none is."""
    ids = [message.get("id") for message in known if isinstance(message, dict)]
    for place, message in enumerate(messages):
        if isinstance(message, dict) and message.get("id") in ids:
            return messages[place:]
    return messages


def _leaves_out(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.body, dict) and snapshot.body.get("more") is True


def _difference(mine: list[dict[str, Any]], theirs: list[Any]) -> str:
    counts = f"shows {len(mine)} messages, the server {len(theirs)}"
    for i, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            return f"{counts}; message {i + 1} {_unlike(one, other)}"
    return counts


def _unlike(one: Any, other: Any) -> str:
    """What differs first, down to the field; of texts what follows where they part."""
    where = ""
    while isinstance(one, dict) and isinstance(other, dict):
        parts = {name: (one.get(name), other.get(name)) for name in {**one, **other}}
        name = next((name for name, (a, b) in parts.items() if a != b), None)
        if name is None:  # one has nothing where the other has null
            break
        where, (one, other) = f" in {name}", parts[name]
    if isinstance(one, str) and isinstance(other, str):
        pairs = enumerate(zip(one, other, strict=False))
        shorter = min(len(one), len(other))
        same = next((at for at, (a, b) in pairs if a != b), shorter)
        where += f" after {same} characters" if same else ""
        one, other = one[same:], other[same:]
    return f"differs{where}: {quoted(one)} to it and {quoted(other)}"


def _still_faulty(case: Case, view: View) -> bool:
    """A client whose faults were never healed proves nothing."""
    return any(span.on(view.who) and span.to_s > view.t_s for span in case.faults.spans)


def _hung_up_on(case: Case, view: View) -> bool:
    """Who never pings is dropped again and again, and stands empty-handed between.

    Once it is back it has had `BACK_S` to load what is there.
    """
    conns = case.by_who.get(view.who, [])
    back = any(
        conn.ping is not None and conn.ping.t_s + BACK_S < view.t_s < conn.end_s
        for conn in conns
    )
    return not back and any(
        not conn.opened.pings
        and conn.closed is not None
        and conn.closed.kind is CloseKind.END
        and conn.end_s <= view.t_s
        for conn in conns
    )


def _moving(case: Case, view: View, snapshot: Snapshot) -> bool:
    """Whether a write may have been committed between the view and the answer."""
    final = snapshot.call
    if _has_all(case, view, snapshot):
        return False
    asked = view.t_s - 0.5
    return any(
        order.low(asked) < order.high(final.done_s) for order in case.orders.values()
    ) or any(
        call.done is None or call.done_s > asked
        for call in case.calls.writes
        if not call.failed and call.invoke.t_s <= final.done_s
    )


def _has_all(case: Case, view: View, final: Snapshot) -> bool:
    """Whether client and snapshot both tell of every event that there can be by then.

    That it came says less: what they show must tell of the last one.
    """
    by_s = final.call.done_s
    written = [c for c in case.calls.writes if c.invoke.t_s <= by_s]
    if not all(call.ok or call.failed for call in written):
        return False
    for conn in case.by_who.get(view.who, []):
        order = case.order_of(conn)
        if not conn.opened.t_s < view.t_s <= conn.end_s or order is None:
            continue
        if order.gappy or any(not call.failed for call in order.unplaced):
            continue
        seen = [sight for sight in conn.events if sight.t_s <= view.t_s]
        place = conn.places[len(seen) - 1] if seen else None
        if place is not None and place + 1 >= order.high(by_s):
            last = seen[-1].block
            mine = [{"id": one.id, "value": one.value} for one in view.messages]
            return _tells(mine, last) and _tells(final.messages, last)
    return False


def _tells(messages: list[Any], last: Block) -> bool:
    """Whether what is shown is of a time after this event."""
    known = [one for one in messages if isinstance(one, dict) and "id" in one]
    shown = {str(one["id"]): value_of(one) for one in known}
    if last.kind == "delete":
        return last.message_id not in shown
    return bool(shown.get(last.message_id, {}).get("text") == last.value.get("text"))
