"""init/from-cache, write/before-broadcast: found where planted, spared where right."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.core.fault import Fault, FaultKind
from harness.core.history import (
    Answer,
    CloseKind,
    F,
    Fail,
    Hold,
    Info,
    Invoke,
    Ok,
    Request,
)
from harness.core.profile import PERSONAL, Profile
from tests.checkers.personal import U1, Personal
from tests.checkers.story import Story, caught, spared, unseen, verdict
from tests.checkers.test_snapshot import answers, messages, story

AWAY, FULL = FaultKind.STORAGE_AWAY, FaultKind.STORAGE_FULL
CACHE, BEFORE = "init/from-cache", "write/before-broadcast"
HEALED_S = 4.0
"""Longer than a story's settling time."""


def begin(
    it: Story, kind: FaultKind = AWAY, *, seen: bool = True
) -> Callable[[], None]:
    """The storage refuses from now on; call what it returns when it is well again."""
    call = it.add(Invoke, who="nemesis", f=F.FAULT, fault=Fault(kind=kind))
    it.add(Hold, call=call)

    def heal() -> None:
        it.add(Hold, call=call, ends=True)
        done = {"effect": "refused"} if seen else {"error": "no effect"}
        it.add(Ok if seen else Info, call=call, **done)

    return heal


def refused(
    it: Story,
    f: F = F.CREATE,
    *,
    about: str = "",
    uid: str = "",
    kind: type[Any] = Info,
    status: int = 503,
    **fields: Any,
) -> dict[str, Any]:
    """A write that the database did not take; the message as it would have been."""
    it.texts += 1
    text, nonce = f"text {it.texts}", f"nonce {it.texts}"
    body = json.dumps({"author": "a", "text": text, "nonce": nonce})
    call = it.add(
        Invoke,
        who="writer",
        f=f,
        about=about,
        uid=uid,
        text="" if f is F.DELETE else text,
        nonce=nonce if f is F.CREATE else "",
        request=Request(method="POST", path="/", body=body),
    )
    value = {"author": "a", "text": text, "createdAt": 9, "nonce": nonce}
    if f is F.CREATE or not status:
        message: dict[str, Any] = {"id": it.server.next_id, "value": value}
    else:
        message = {"id": int(about), "value": value}
    answer = Answer(status=status, body=json.dumps(message)) if status else None
    it.add(kind, call=call, answer=answer, **fields)
    return message


def announce(it: Story, kind: str, data: dict[str, Any]) -> None:
    """An event for everybody, of something that is not stored."""
    it.broadcast(it.server.commit(kind, data))


def right(kind: FaultKind = AWAY) -> Story:
    """A server that does everything right while its database refuses."""
    it = story(3)
    it.begin("alice")
    heal = begin(it, kind)
    it.init("reader")
    refused(it)
    refused(it, F.UPDATE, about="2")
    refused(it, F.DELETE, about="1")
    it.init("reader")
    heal()
    it.create()
    it.update(2)
    it.delete(1)
    return it


@pytest.mark.parametrize("kind", [AWAY, FULL])
def test_right(kind: FaultKind) -> None:
    it = right(kind).end()
    spared(it, BEFORE)
    if kind is AWAY:
        spared(it, CACHE)
    else:
        unseen(it, CACHE)
    for slug in ("converge", "event/no-phantom", "init/window", "event/no-loss"):
        spared(it, slug)


@pytest.mark.parametrize("status", [500, 503, 404, 0])
def test_init_is_not_answered(status: int) -> None:
    it = story(3)
    heal = begin(it)
    refused(it)
    call = it.add(Invoke, who="reader", f=F.INIT)
    if status:
        kind = Fail if status < 500 else Info
        it.add(kind, call=call, answer=Answer(status=status))
    else:
        it.wait(5)
        it.add(Info, call=call, error="no answer within 5 s")
    heal()
    assert "database was away" in caught(it.end(), CACHE)


def test_init_is_not_answered_behind_another_fault() -> None:
    it = story(3)
    heal = begin(it)
    refused(it)
    partition = it.fault(FaultKind.PARTITION, "reader")
    call = it.add(Invoke, who="reader", f=F.INIT)
    it.add(Info, call=call, error="no answer within 5 s")
    partition()
    it.init("other")
    heal()
    spared(it.end(), CACHE)


def test_init_that_the_fault_did_not_hold_is_not_looked_at() -> None:
    it = story(3)
    it.init("reader")
    heal = begin(it)
    refused(it)
    heal()
    it.init("reader")
    unseen(it.end(), CACHE)
    it = story(3)
    heal = begin(it, seen=False)
    it.init("reader")
    heal()
    unseen(it.end(), CACHE)


def test_init_shows_what_was_refused() -> None:
    it = story(3)
    heal = begin(it)
    message = refused(it)
    it.init("reader")
    heal()
    it.end()
    spared(it, CACHE)
    more = messages(lambda m: [*m, message])
    assert "4 messages, due were 3" in caught(it, CACHE, answers(F.INIT, more, 1))
    before = answers(F.INIT, messages(lambda m: m[:-1]), 1)  # it is stale
    assert "2 messages, due were 3" in caught(it, CACHE, before)


def test_init_hides_what_was_not_deleted() -> None:
    it = story(3)
    heal = begin(it)
    refused(it, F.DELETE, about="2")
    it.init("reader")
    heal()
    fewer = messages(lambda m: [one for one in m if one["id"] != 2])
    caught(it.end(), CACHE, answers(F.INIT, fewer, 1))


@pytest.mark.parametrize("kind", [AWAY, FULL])
@pytest.mark.parametrize("f", [F.CREATE, F.UPDATE, F.DELETE])
def test_event_of_a_refused_write(f: F, kind: FaultKind) -> None:
    it = story(3)
    heal = begin(it, kind)
    message = refused(it, f, about="" if f is F.CREATE else "2")
    announce(it, f, {"id": 2} if f is F.DELETE else message)
    heal()
    if f is F.DELETE:
        it.delete(2)  # tried again, and accepted
    assert "was sent by" in caught(it.end(), BEFORE)


def test_event_before_the_refusal() -> None:
    it = story(3)
    heal = begin(it)
    call = it.add(Invoke, who="writer", f=F.CREATE, text="early", nonce="early")
    value = {"author": "a", "text": "early", "createdAt": 9, "nonce": "early"}
    announce(it, "create", {"id": 4, "value": value})
    announce(it, "delete", {"id": 4})  # and taken back
    it.add(Info, call=call, answer=Answer(status=503))
    heal()
    caught(it.end(), BEFORE)


def test_event_that_comes_when_the_database_is_back() -> None:
    """The server found out: the write had got through before the fault, or after."""
    it = story(3)
    heal = begin(it)
    message = refused(it)
    heal()
    it.server.store.append(message)
    it.server.window.append(message)
    it.server.next_id += 1
    announce(it, "create", message)
    spared(it.end(), BEFORE)


def test_event_of_a_write_that_began_before() -> None:
    it = story(3)
    call = it.add(Invoke, who="writer", f=F.CREATE, text="early", nonce="early")
    heal = begin(it)
    value = {"author": "a", "text": "early", "createdAt": 9, "nonce": "early"}
    announce(it, "create", {"id": 4, "value": value})
    it.add(Ok, call=call, answer=Answer(status=201))
    refused(it)
    heal()
    spared(it.end(), BEFORE)


def test_event_under_a_fault_without_effect_proves_nothing() -> None:
    it = story(3)
    heal = begin(it, seen=False)
    it.create()
    heal()
    unseen(it.end(), BEFORE)


def test_refused_write_is_acknowledged() -> None:
    it = story(3)
    heal = begin(it)
    refused(it)
    refused(it, F.UPDATE, about="2", kind=Ok, status=200)
    heal()
    assert "was answered 200" in caught(it.end(), BEFORE)


def test_acknowledgement_when_the_database_is_back() -> None:
    it = story(3)
    heal = begin(it)
    refused(it)
    call = it.add(Invoke, who="writer", f=F.CREATE, text="late", nonce="late")
    heal()
    value = {"author": "a", "text": "late", "createdAt": 9, "nonce": "late"}
    announce(it, "create", {"id": 4, "value": value})
    it.add(Ok, call=call, answer=Answer(status=201))
    spared(it.end(), BEFORE)


@pytest.mark.parametrize(("status", "blamed"), [(400, True), (409, True), (429, False)])
def test_caller_is_blamed(status: int, *, blamed: bool) -> None:
    it = story(3)
    heal = begin(it)
    refused(it)
    refused(it, kind=Fail, status=status)
    refused(it, F.UPDATE, about="99", kind=Fail, status=404)
    heal()
    it.end()
    if blamed:
        assert "as if it were" in caught(it, BEFORE)
    else:
        spared(it, BEFORE)


def test_no_answer_says_nothing() -> None:
    it = story(3)
    it.header = it.header.__class__(
        **{f: getattr(it.header, f) for f in it.header.__struct_fields__}
        | {"requirements": (BEFORE,)}
    )
    heal = begin(it)
    refused(it)
    refused(it, status=0, error="no answer within 5 s")
    heal()
    assert verdict(it.end().judged(), BEFORE) == "unknown"


def test_refused_for_ever() -> None:
    it = right()
    it.wait(HEALED_S)
    refused(it)
    assert "was back at" in caught(it.end(), BEFORE)


def test_refused_a_moment_after_or_by_the_next_fault() -> None:
    it = right()
    refused(it)
    it.wait(HEALED_S)
    heal = begin(it, FULL)
    refused(it)
    heal()
    spared(it.end(), BEFORE)


def test_stream_is_ended() -> None:
    it = story(3)
    alice = it.begin("alice")
    heal = begin(it)
    refused(it)
    it.close(alice, CloseKind.END)
    heal()
    assert "ended by the server" in caught(it.end(), BEFORE)


@pytest.mark.parametrize("profile", PERSONAL)
def test_only_log_may_end_a_stream(profile: Profile) -> None:
    it = Personal(profile=profile)
    alice = it.begin("a")
    heal = begin(it)
    refused(it, uid=U1)
    it.close(alice, CloseKind.END)
    heal()
    if profile is Profile.LOG:
        spared(it.end(), BEFORE)
    else:
        assert "ended by the server" in caught(it.end(), BEFORE)


def test_stream_is_reset() -> None:
    it = story(3)
    alice = it.begin("alice")
    heal = begin(it)
    refused(it)
    it.frame(alice, 'event: reset\ndata: {"reason": "unknown"}\n\n')
    it.close(alice, CloseKind.END)
    heal()
    assert "was reset" in caught(it.end(), BEFORE)


def test_stream_ends_for_another_reason() -> None:
    it = story(3)
    alice, bob = it.begin("alice"), it.begin("bob")
    heal = begin(it)
    refused(it)
    it.cut(alice)
    it.close(bob)
    heal()
    it.wait(HEALED_S)
    it.close(it.begin("carol"), CloseKind.FIN)
    spared(it.end(), BEFORE)


@pytest.mark.parametrize("how", ["kill", "term"])
def test_event_told_of_what_the_database_does_not_hold(how: str) -> None:
    it = story(3)
    message = refused(it)
    announce(it, "create", message)
    it.restart(how)
    it.walk("reader")
    assert "gone after the restart" in caught(it.end(), BEFORE)


def test_unknown_outcomes_are_told_right() -> None:
    it = story(3)
    refused(it)  # lost, and nobody was told of it
    kept = refused(it)
    announce(it, "create", kept)
    it.server.store.append(kept)
    it.restart()
    it.walk("reader")
    spared(it.end(), BEFORE)


def test_event_told_of_an_update_that_the_database_does_not_hold() -> None:
    it = story(3)
    it.update(2)
    message = refused(it, F.UPDATE, about="2")
    announce(it, "update", message)
    it.restart()
    assert "told of the text 'text 5'" in caught(it.end(), BEFORE)


def test_event_told_of_a_delete_that_the_database_does_not_hold() -> None:
    it = story(3)
    refused(it, F.DELETE, about="2")
    announce(it, "delete", {"id": 2})
    it.restart()
    assert "was deleted" in caught(it.end(), BEFORE)


def test_event_told_of_an_update_and_a_later_one_stands() -> None:
    it = story(3)
    message = refused(it, F.UPDATE, about="2")
    announce(it, "update", message)
    it.update(2)
    it.restart()
    refused(it)
    it.restart()
    spared(it.end(), BEFORE)


def test_message_that_was_deleted_later_is_not_missed() -> None:
    it = story(3)
    message = refused(it)
    announce(it, "create", message)
    refused(it, F.DELETE, about=str(message["id"]))
    refused(it)
    it.restart()
    spared(it.end(), BEFORE)
