"""What is stored when an era begins, as far as the harness can know.

Base: what the era before had committed. Writes that no witness saw are added when
they were acknowledged, or when something seen in the new life shows that they
happened; their place among the others is taken from the first snapshot.
"""

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from harness.checkers.calls import Call, Snapshot, value_of
from harness.checkers.order import Order
from harness.checkers.sse import read_json
from harness.checkers.store import Chat, Stored
from harness.core.history import F

if TYPE_CHECKING:
    from harness.checkers.case import Case


@dataclass(slots=True)
class Idents:
    """Finds the message behind a value: by nonce, else by a text it ever had."""

    by_nonce: dict[str, str] = field(default_factory=dict)
    by_text: dict[str, str] = field(default_factory=dict)

    def learn(self, calls: list[Call]) -> None:
        for call in calls:
            if call.invoke.f is F.CREATE:
                ident = call.invoke.nonce or call.invoke.text
                self.by_nonce.setdefault(call.invoke.nonce, ident)
                self.by_text.setdefault(call.invoke.text, ident)

    def of(self, value: dict[str, Any]) -> str:
        """The ident of a message value; a foreign message is its own text."""
        nonce, text = value.get("nonce"), value.get("text")
        if isinstance(nonce, str) and nonce in self.by_nonce:
            return self.by_nonce[nonce]
        if isinstance(text, str):
            return self.by_text.get(text, f"?{text}")
        return f"?{value!r}"


@dataclass(slots=True)
class Seen:
    """What snapshots and pages of one era show: texts, and ids of messages."""

    texts: set[Any]
    idents: set[str]
    by_mid: dict[str, str]
    first: Snapshot | None


def look_at(case: "Case", era: int, idents: Idents) -> Seen:
    """Collect what one era shows of its messages."""
    seen = Seen(set(), set(), {}, None)
    since_s = case.orders[era].since_s
    for snapshot in case.snapshots_of(era):
        if seen.first is None and snapshot.call.invoke.t_s >= since_s:
            seen.first = snapshot
        for message in snapshot.messages:
            value = value_of(message)
            ident = idents.of(value)
            seen.texts.add(_hashable(value.get("text")))
            seen.idents.add(ident)
            if isinstance(message, dict) and "id" in message and value:
                seen.by_mid.setdefault(str(message["id"]), ident)
    for walk in case.calls.walks:
        if walk.calls[0].era == era:
            for item in walk.oldest_first():
                value = value_of(item)
                seen.texts.add(_hashable(value.get("text")))
                seen.idents.add(idents.of(value))
    return seen


def _hashable(text: Any) -> Any:
    return text if isinstance(text, str) else repr(text)


def author_of(call: Call) -> Any:
    """The author that a create's body names."""
    body = read_json(call.invoke.request.body) if call.invoke.request else None
    return body.get("author") if isinstance(body, dict) else None


def settle(
    chat: Chat, calls: list[Call], seen: Seen, idents: Idents, names: dict[str, str]
) -> int:
    """Apply writes that no event tells of: the acknowledged ones and the visible.

    Returns how many deletes stay in doubt; they are taken as carried out.
    """
    won, doubt = set[str](), 0
    for call in sorted(calls, key=lambda one: one.invoke.t_s):
        invoke = call.invoke
        ident = chat.by_mid.get(invoke.about) or names.get(invoke.about, "")
        if invoke.f is F.CREATE:
            if call.ok or invoke.text in seen.texts or _ident(call) in seen.idents:
                chat.create(_floating(call))
        elif invoke.f is F.UPDATE:
            visible = invoke.text in seen.texts
            if visible or (call.ok and ident not in won):
                chat.update(ident, invoke.text)
                idents.by_text.setdefault(invoke.text, ident)
            if visible:
                won.add(ident)
        elif call.ok or (seen.first is not None and ident not in seen.idents):
            doubt += chat.delete(ident) is not None and not call.ok
    return doubt


def named(calls: list[Call]) -> dict[str, str]:
    """The messages behind the ids that answers to creates gave."""
    found = {}
    for call in calls:
        if call.ok and call.answer is not None and call.invoke.f is F.CREATE:
            body = read_json(call.answer.body)
            if isinstance(body, dict) and "id" in body:
                found[str(body["id"])] = _ident(call)
    return found


def is_before(call: Call, seen: Seen, idents: Idents) -> bool:
    """Whether an unseen write happened before the first snapshot, if it did at all.

    One still in flight then may have been carried out later, when the witness had
    lost its stream to an end of the server.
    """
    if seen.first is None or call.acked_s <= seen.first.call.invoke.t_s:
        return True
    shown = {idents.of(value_of(message)) for message in seen.first.messages}
    return call.invoke.f is F.CREATE and _ident(call) in shown


def unsettled(calls: list[Call], seen: Seen, names: dict[str, str]) -> set[str]:
    """Messages whose cut-off writes this life shows nothing of."""
    idents = {
        _ident(call) if call.invoke.f is F.CREATE else names.get(call.invoke.about, "")
        for call in calls
        if not call.ok
    }
    return idents - seen.idents - {""}


def _ident(call: Call) -> str:
    return call.invoke.nonce or call.invoke.text


def _floating(call: Call) -> Stored:
    invoke = call.invoke
    return Stored(
        ident=_ident(call),
        author=author_of(call),
        text=invoke.text,
        nonce=invoke.nonce,
        floating=True,
        committed_s=(invoke.t_s, call.acked_s),
    )


def arrange(messages: list[Stored], seen: Seen, idents: Idents) -> list[Stored]:
    """Put floating messages where the first snapshot shows them.

    One that it does not show was pushed out before it: it is older than all it shows,
    and newer than what the witness saw, but of several such nobody knows the order.
    Left alone when that snapshot contradicts the order of the others.
    """
    if seen.first is None or not any(message.floating for message in messages):
        return messages
    shown: dict[str, int] = {}
    for i, message in enumerate(seen.first.messages):
        shown.setdefault(idents.of(value_of(message)), i)
    places = [shown[m.ident] for m in messages if not m.floating and m.ident in shown]
    if places != sorted(places):
        return messages
    listed = [m for m in messages if m.ident in shown]
    for message in listed:
        message.committed_s = None
        if message.floating and message.author is None:
            place = shown[message.ident]
            message.author = value_of(seen.first.messages[place]).get("author")
    older = [m for m in messages if m.ident not in shown and not m.floating]
    unseen = [m for m in messages if m.ident not in shown and m.floating]
    for message in messages:
        message.floating = False  # a later life need not show it again
    return [*older, *unseen, *sorted(listed, key=lambda m: shown[m.ident])]


def anchor(case: "Case", order: Order) -> list[Any] | None:
    """The first look of the witness at a target with unknown earlier messages."""
    for snapshot in case.snapshots_of(order.life):
        if snapshot.who == case.witness and snapshot.call.invoke.t_s >= min(
            order.since_s, snapshot.call.done_s
        ):
            quiet = order.high(snapshot.call.done_s) == 0
            early = any(c.invoke.t_s <= snapshot.call.done_s for c in order.unplaced)
            if quiet and not early and order.since_s < inf:
                return snapshot.messages
    return None
