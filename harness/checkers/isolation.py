"""The rule that keeps users apart: private/isolation.

Every text, message id and connection id of a case is of one uid; what a server gives
to another must hold none of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.checkers.calls import Call, page_of
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule_across
from harness.checkers.sse import NOT_JSON, read_json
from harness.core.history import F
from harness.core.profile import PERSONAL

ABOUT_MESSAGES = (F.UPDATE, F.DELETE)


@dataclass(slots=True)
class Belongings:
    """What is of one uid alone."""

    uid: str
    texts: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, case: Case) -> "Belongings":
        mine = cls(case.uid)
        for call in case.calls.writes:
            mine.texts |= {call.invoke.text} - {""}
            if call.ok and call.invoke.f is F.CREATE and call.answer is not None:
                mine._learn(read_json(call.answer.body))
        for call in [*case.calls.by_f[F.INIT], *case.calls.by_f[F.HISTORY]]:
            for message in page_of(call) or ():
                mine._learn(message)
        mine.connections = {conn.connection_id for conn in case.conns} - {""}
        return mine

    def _learn(self, message: Any) -> None:
        if isinstance(message, dict) and "id" in message:
            self.messages.add(str(message["id"]))


@rule_across("private/isolation", PERSONAL)
def isolation(channels: Sequence[Case]) -> Iterator[Look]:
    """ "nothing of one uid reaches another: events, history, replays, ids, errors"."""
    belongings = [Belongings.of(case) for case in channels]
    for case, mine in zip(channels, belongings, strict=True):
        others = [one for one in belongings if one is not mine]
        looked = False
        for text, payload, n in _given(case):
            looked = True
            yield from _leaked(case, others, text, payload, n)
        yield from _told_of(case, mine, others)
        if looked and any(one.texts for one in others):
            yield HELD
        for call in case.calls.all.values():
            yield from _trespassed(call, mine, others)
    for f in ABOUT_MESSAGES:
        refused = [one for case in channels for one in _refused(case, f)]
        yield from _told_apart(refused, belongings)


def _given(case: Case) -> Iterator[tuple[str, Any, int]]:
    """Everything that the server gave to this uid: text, its JSON, its record."""
    for conn in case.conns:
        for sight in conn.sights:
            if sight.block.data:
                yield sight.block.data, sight.block.payload, sight.n
    for call in case.calls.all.values():
        if call.answer is not None and call.answer.body and call.invoke.uid:
            body = call.answer.body
            yield body, read_json(body), call.done_n or call.n


def _leaked(
    case: Case, others: Sequence[Belongings], text: str, payload: Any, n: int
) -> Iterator[Look]:
    strings = set(_strings(payload))
    for other in others:
        found = min(strings & other.texts, default="")
        if not found and not isinstance(payload, dict | list):
            found = next((one for one in other.texts if one in text), "")
        if not found and isinstance(payload, dict) and "error" in payload:
            quoting = "\n".join(strings)
            found = next((one for one in sorted(other.texts) if one in quoting), "")
        # Its own name may hold another's: "abc_" holds "abc".
        rest = text.replace(case.uid, "") if other.uid in case.uid else text
        if not found and other.uid in rest:
            found = other.uid
        if found:
            sentence = f"{quoted(found)} of uid {other.uid} was given to uid {case.uid}"
            yield broken(sentence, n)


def _told_of(
    case: Case, mine: Belongings, others: Sequence[Belongings]
) -> Iterator[Look]:
    """An event that no write of this uid explains, about a message of another."""
    for conn in case.conns:
        for sight in conn.events:
            about = sight.block.message_id
            if about in mine.messages or case.write_of(sight, conn) is not None:
                continue
            for other in others:
                if about in other.messages:
                    sentence = (
                        f"a {sight.block.kind} of message {about} of uid {other.uid} "
                        f"reached uid {case.uid}"
                    )
                    yield broken(sentence, sight.n)


def _strings(value: Any) -> Iterator[str]:
    stack = [] if value is NOT_JSON else [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def _trespassed(
    call: Call, mine: Belongings, others: Sequence[Belongings]
) -> Iterator[Look]:
    """A call about what is another's is answered like one about what never was."""
    about = call.invoke.about
    if call.invoke.f in ABOUT_MESSAGES:
        owner = next((o for o in others if about in o.messages), None)
        known = about in mine.messages
    elif call.invoke.f is F.PING:
        owner = next((o for o in others if about in o.connections), None)
        known = about in mine.connections
    else:
        return
    if owner is None or known or not call.status:
        return
    if call.status == 404:
        yield HELD
        return
    sentence = (
        f"uid {mine.uid} asked to {call.invoke.f} {quoted(about)} of uid {owner.uid} "
        f"and was answered {call.status}"
    )
    yield broken(sentence, call.n, call.done_n)


def _refused(case: Case, f: F) -> list[Call]:
    """Changes of messages whose ids look alike, all refused as unknown."""
    calls = case.calls.by_f[f]
    return [one for one in calls if one.status == 404 and one.invoke.about.isdecimal()]


def _told_apart(
    refused: Sequence[Call], belongings: Sequence[Belongings]
) -> Iterator[Look]:
    """Another's message and one that never was are refused with the same code."""
    owned = {(one.uid, about) for one in belongings for about in one.messages}
    owners = {about: uid for uid, about in owned}
    unknown = {_code(one) for one in refused if one.invoke.about not in owners}
    for call in refused if unknown else ():
        uid, about = call.invoke.uid, call.invoke.about
        foreign = about in owners and (uid, about) not in owned
        if foreign and _code(call) not in unknown:
            sentence = (
                f"uid {uid} is told {quoted(_code(call))} of {quoted(about)} of uid "
                f"{owners[about]}, and {quoted(min(unknown))} of what never was"
            )
            yield broken(sentence, call.n, call.done_n)


def _code(call: Call) -> str:
    """The error's code; "" without one."""
    body = read_json(call.answer.body) if call.answer else NOT_JSON
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""
