"""Rules for /init: init/* of docs/protocol.md section 4, but database ids."""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

from harness.checkers.calls import Call, Snapshot, value_of
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule, short
from harness.checkers.served import unserved
from harness.checkers.shown import LifeModel
from harness.checkers.shown import Look as Shown
from harness.core.history import F
from harness.core.profile import Profile


@rule("init/window", (Profile.BROADCAST,))
def window(case: Case) -> Iterator[Look]:
    """ "the last limit messages, oldest first, integer window ids rising, limit
    stated".
    """
    for call in case.calls.by_f[F.INIT]:
        if call.ok and call.answer is not None and call.answer.truncated:
            sentence = "an /init answer was longer than any window can be"
            yield broken(sentence, call.n, call.done_n)
        elif (look := unserved(case, call)) is not None:
            yield look
    for snapshot in case.calls.snapshots:
        wrong = _malformed(case, snapshot)
        if wrong is not None:
            yield wrong
            continue
        shown = case.looks.get(snapshot.call)
        if shown is None or not shown.judged:
            continue
        if shown.fits is not None:
            yield _ids_agree(case, shown)
        elif not excused(shown):
            yield misfit(shown)
    for model in case.models.values():
        yield from _reused(model)


def _reused(model: LifeModel) -> Iterator[Look]:
    """Section 3: "Window ids are never reused within a server life"."""
    for place in model.reused:
        sight = model.order.entries[place].sight
        sentence = f"window id {sight.block.message_id} was another message's before"
        yield broken(f"create event {quoted(sight.block.id)}: {sentence}", sight.n)


def _malformed(case: Case, snapshot: Snapshot) -> Look | None:
    body, call = snapshot.body, snapshot.call
    wrong = ""
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        found = call.answer.body if call.answer else ""
        wrong = f"has no list of messages: {quoted(found)}"
    elif body.get("limit") != case.limits.message_limit:
        limit = case.limits.message_limit
        wrong = f"says limit {quoted(body.get('limit'))}, declared is {limit}"
    elif len(snapshot.messages) > case.limits.message_limit:
        limit = case.limits.message_limit
        wrong = f"shows {len(snapshot.messages)} messages, the limit is {limit}"
    else:
        wrong = _bad_message(snapshot.messages)
    if not wrong:
        return None
    return broken(f"the /init answer to {snapshot.who} {wrong}", call.n, call.done_n)


def _bad_message(messages: list[Any]) -> str:
    ids: list[Any] = [m.get("id") if isinstance(m, dict) else None for m in messages]
    if any(type(i) is not int for i in ids):
        odd = next(i for i in ids if type(i) is not int)
        return f"has a window id that is no integer: {quoted(odd)}"
    if any(one >= other for one, other in pairwise(ids)):
        return f"has window ids that do not rise: {short(ids)}"
    for message in messages:
        value = value_of(message)
        if type(value.get("createdAt")) is not int or not isinstance(
            value.get("text"), str
        ):
            return f"has a malformed message {quoted(message)}"
    return ""


def _ids_agree(case: Case, shown: Shown) -> Look:
    """A message has the id in a snapshot that its create event gave it."""
    nonces = case.models[shown.order.life].mids
    for message in shown.snapshot.messages:
        value = value_of(message)
        nonce = value.get("nonce")
        known = nonces.get(nonce) if isinstance(nonce, str) else None
        if known is not None and known != str(message["id"]):
            call = shown.snapshot.call
            sentence = (
                f"message {quoted(value.get('text'))} has id {message['id']} in the "
                f"/init answer to {shown.snapshot.who}, its create event said {known}"
            )
            return broken(sentence, call.n, call.done_n)
    return HELD


def excused(shown: Shown, surely_not: Collection[Call] = ()) -> bool:
    """Whether a write that no event tells of explains what a snapshot shows.

    `surely_not` are writes that cannot have been carried out.
    """
    texts = {text for _, text in shown.texts}
    ids = {str(m.get("id")) for m in shown.snapshot.messages if isinstance(m, dict)}
    for call in shown.order.unplaced:
        if call.invoke.t_s > shown.snapshot.call.done_s or call in surely_not:
            continue
        if call.invoke.f is F.DELETE:
            if call.invoke.about not in ids:
                return True
        elif call.invoke.text in texts:
            return True
    return shown.order.gappy or shown.doubtful


def misfit(shown: Shown) -> Look:
    call, expected = shown.snapshot.call, shown.expected
    texts = [message.signature for message in expected]
    where = next(
        (i for i, (a, b) in enumerate(zip(shown.texts, texts, strict=False)) if a != b),
        min(len(texts), len(shown.texts)),
    )
    due = quoted(texts[where]) if where < len(texts) else "nothing"
    got = quoted(shown.texts[where]) if where < len(shown.texts) else "nothing"
    old = shown.elsewhere
    stale = f"; it is the window after {old} events" if old is not None else ""
    sentence = (
        f"the snapshot given to {shown.snapshot.who} shows {len(shown.texts)} "
        f"messages, due were {len(texts)} after {shown.low} to {shown.high} events; "
        f"message {where + 1} is {got}, due was {due}{stale}"
    )
    return broken(sentence, call.n, call.done_n)


@rule("init/oldest", (Profile.BROADCAST,))
def oldest(case: Case) -> Iterator[Look]:
    """ "oldest present exactly when the database holds limit messages or more, and
    right". Of an empty window nobody can say which would be right.
    """
    for snapshot in case.calls.snapshots:
        shown = case.looks.get(snapshot.call)
        if not isinstance(snapshot.body, dict):
            continue
        given = snapshot.body.get("oldest")
        wrong: str | None = _wrong_oldest(snapshot, given) or None
        fitting = shown is not None and shown.judged and shown.fits is not None
        if wrong is None and fitting and shown is not None:
            wrong = _presence(case, shown, given)
            if wrong == "":
                yield HELD
        if wrong and (given is not None or snapshot.messages):
            sentence = f"the /init answer to {snapshot.who} {wrong}"
            yield broken(sentence, snapshot.call.n, snapshot.call.done_n)


def _wrong_oldest(snapshot: Snapshot, given: Any) -> str:
    if given is None or not snapshot.messages:
        return ""
    first = value_of(snapshot.messages[0]).get("createdAt")
    if given == first and type(given) is type(first):
        return ""
    return f"says oldest {quoted(given)}, its first message was created at {first}"


def _presence(case: Case, shown: Shown, given: Any) -> str | None:
    """What is wrong with `oldest` being there or not; None when nobody can know."""
    limit, present = case.limits.message_limit, given is not None
    if not shown.stored_known:
        full = len(shown.texts) >= limit
        if full and not present:
            return f"has no oldest, though the window holds {len(shown.texts)}"
        return "" if full else None
    if shown.fewest >= limit:
        return "" if present else f"has no oldest, though {shown.fewest} are stored"
    if shown.most < limit:
        if present:
            return f"says oldest, though {shown.most} of {limit} are stored"
        return ""
    return None


def judged_last(case: Case, call: Call) -> Look | None:
    """Whether the last snapshot is what the model says; None when unknown."""
    shown = case.looks.get(call)
    if shown is None or not shown.judged or excused(shown):
        return None
    return HELD if shown.fits is not None else misfit(shown)
