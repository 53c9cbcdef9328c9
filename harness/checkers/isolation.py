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
        for conn in case.conns:  # an answer may be lost, and its event not
            made = [one for one in conn.events if one.block.kind == "create"]
            own = [one for one in made if case.write_of(one, conn) is not None]
            mine.messages |= {one.block.message_id for one in own}
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
    for case in channels:
        for f in ABOUT_MESSAGES:
            yield from _told_apart(case, f, belongings)


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


def _told_apart(case: Case, f: F, belongings: Sequence[Belongings]) -> Iterator[Look]:
    """Another's message and one that never was are refused with the same code.

    By the state that the asker's chat is in then, which no write changes in between.
    """
    calls = case.calls.by_f[f]
    alike = [one for one in calls if one.status == 404 and one.invoke.about.isdecimal()]
    mine = next(one for one in belongings if one.uid == case.uid).messages
    owners = {about: one.uid for one in belongings for about in one.messages - mine}
    unknown = [one for one in alike if one.invoke.about not in {*owners, *mine}]
    for call in (one for one in alike if one.invoke.about in owners):
        about = call.invoke.about
        codes = {_code(one) for one in unknown if _nothing_between(case, call, one)}
        if codes and _code(call) not in codes:
            sentence = (
                f"uid {case.uid} is told {quoted(_code(call))} of {quoted(about)} of "
                f"uid {owners[about]}, and {quoted(min(codes))} of what never was"
            )
            yield broken(sentence, call.n, call.done_n)


def _nothing_between(case: Case, one: Call, other: Call) -> bool:
    """Whether no write of this chat may have been carried out from one to the other.

    One without a success may be carried out at any time after it.
    """
    first, last = min(one.n, other.n), max(one.done_n or 0, other.done_n or 0)
    return all(
        write.failed or write.n > last or (write.ok and (write.done_n or last) < first)
        for write in case.calls.writes
    )


def _code(call: Call) -> str:
    """The error's code; "" without one."""
    body = read_json(call.answer.body) if call.answer else NOT_JSON
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""
