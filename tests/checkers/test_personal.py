"""Rules for personal chats: found where planted, spared where right."""

import json
from typing import Any

import msgspec
import pytest

from harness.core.history import (
    Answer,
    F,
    Fail,
    Info,
    Message,
    Ok,
    Request,
    View,
    witness_of,
)
from harness.core.profile import PERSONAL, Profile
from tests.checkers.personal import U1, U2, Personal, event
from tests.checkers.story import (
    Edit,
    caught,
    change,
    drop,
    edit_frames,
    failed,
    spared,
    unseen,
)

BOTH = pytest.mark.parametrize("profile", PERSONAL)


def two_users(profile: Profile = Profile.PRIVATE) -> Personal:
    """Two users write and read; the second asks for things of the first."""
    it = Personal(profile=profile)
    it.second()
    it.begin("a")
    it.post()
    it.post(uid=U2)
    it.post()
    it.walk()
    it.walk("witness of u2")
    it.asked(F.PING, "c1", 404, uid=U2)
    return it


@BOTH
def test_a_right_history_of_two_users_is_spared(profile: Profile) -> None:
    it = two_users(profile)
    stream = it.streams[-1]
    it.cut(stream)
    it.post()
    it.resume("a")
    it.post()
    it.end()
    assert failed(it.judged()) == []
    for slug in ("private/isolation", "event/no-loss", "converge"):
        spared(it, slug)


# ---- private/isolation ---------------------------------------------------------------


def answer_of(f: F, body: dict[str, Any]) -> Edit:
    """Another body of the second user's answers to one kind of call."""
    text = json.dumps(body)

    def edit(records: list[Any]) -> list[Any]:
        calls = {r.n for r in records if getattr(r, "f", None) is f and r.uid == U2}
        return [
            msgspec.structs.replace(r, answer=Answer(status=200, body=text))
            if isinstance(r, Ok) and r.call in calls
            else r
            for r in records
        ]

    return edit


def test_texts_of_another_in_streams_pages_and_errors() -> None:
    it = two_users().end()
    mine = {"id": 1, "value": {"author": "writer", "text": "text 1 of u1"}}
    leaked = edit_frames(
        lambda f: [f, msgspec.structs.replace(f, text=event("create", "x-1", mine))],
        lambda f: f.conn == 2 and "event: create" in f.text,
    )
    assert "'text 1 of u1' of uid u1-salt" in caught(it, "private/isolation", leaked)
    page = {"messages": [mine], "more": False}
    caught(it, "private/isolation", answer_of(F.HISTORY, page))
    caught(it, "private/isolation", answer_of(F.INIT, page))
    said = {"error": {"code": "x", "message": f"not yours: {mine['value']}"}}  # type: ignore[index]
    caught(it, "private/isolation", answer_of(F.HISTORY, said))
    whose = {"messages": [], "more": False, "owner": U1}
    caught(it, "private/isolation", answer_of(F.HISTORY, whose))


def test_an_event_about_a_message_of_another() -> None:
    it = two_users().end()
    told = edit_frames(
        lambda f: [
            f,
            msgspec.structs.replace(f, text=event("delete", "x-1", {"id": 1})),
        ],
        lambda f: f.conn == 2 and "event: create" in f.text,
    )
    said = caught(it, "private/isolation", told)
    assert "a delete of message 1 of uid u1-salt reached uid u2-salt" in said


@pytest.mark.parametrize(
    ("f", "about", "status"),
    [
        (F.UPDATE, "1", 200),
        (F.UPDATE, "1", 403),
        (F.DELETE, "1", 204),
        (F.DELETE, "1", 500),
        (F.PING, "c1", 204),
        (F.PING, "c1", 403),
    ],
)
def test_what_is_of_another_is_unknown(f: F, about: str, status: int) -> None:
    it = two_users()
    it.asked(f, about, status, uid=U2)
    said = caught(it.end(), "private/isolation")
    assert f"uid {U2} asked to {f} {about!r} of uid {U1}" in said


def test_to_delete_what_is_of_another_makes_it_nobodys_own() -> None:
    it = two_users()
    it.asked(F.DELETE, "1", 204, uid=U2)
    it.commit(U2, "delete", {"id": 1})
    assert f"of uid {U1} and was answered 204" in caught(it.end(), "private/isolation")


def refuse(it: Personal, f: F, codes: dict[str, str], uid: str = U2) -> None:
    for about, code in codes.items():
        body = json.dumps({"error": {"code": code, "message": f"no {about}"}})
        it.asked(f, about, 404, uid=uid, body=body)


@pytest.mark.parametrize("f", [F.UPDATE, F.DELETE])
def test_what_is_of_another_is_refused_as_what_never_was(f: F) -> None:
    def refused(codes: dict[str, str]) -> Personal:
        it = two_users()
        refuse(it, f, codes)
        return it.end()

    told = {"1": "not_yours", "2": "gone", "999": "unknown", "none": "malformed"}
    said = caught(refused(told), "private/isolation")
    assert f"uid {U2} is told 'not_yours' of '1' of uid {U1}, and 'unknown' of" in said
    for alike in (told | {"1": "unknown"}, {"1": "not_yours", "none": "malformed"}):
        spared(refused(alike), "private/isolation")


def test_a_message_is_its_users_also_where_the_answer_was_lost() -> None:
    it = two_users()
    lost = it.post()
    it.remove(lost)
    refuse(it, F.DELETE, {"999": "unknown", str(lost): "gone"})
    it.end()

    def unanswered(records: list[Any]) -> list[Any]:
        (told,) = [
            r
            for r in records
            if getattr(r, "answer", None)
            and r.answer.status == 201
            and f'"id": {lost},' in r.answer.body
        ]
        return [r for r in records if r is not told]

    said = caught(it, "private/isolation", unanswered)
    assert f"told 'gone' of '{lost}' of uid {U1}, and 'unknown' of what" in said


def test_a_refusal_may_tell_of_the_askers_own_chat() -> None:
    it = two_users()
    refuse(it, F.UPDATE, {"999": "no_chat"})
    it.post(uid=U2)
    refuse(it, F.UPDATE, {"1": "no_message"})
    refuse(it, F.UPDATE, {"999": "never"}, uid=U1)
    spared(it.end(), "private/isolation")


def test_a_write_of_unknown_outcome_may_change_what_a_refusal_tells() -> None:
    it = two_users()
    it.asked(F.UPDATE, "2", 503, uid=U2)
    refuse(it, F.DELETE, {"999": "no_chat", "1": "no_message"})
    spared(it.end(), "private/isolation", uncertain)


def uncertain(records: list[Any]) -> list[Any]:
    """A 5xx says nothing of what happened."""
    return [
        Info(n=r.n, t_s=r.t_s, call=r.call, answer=r.answer)
        if isinstance(r, Fail) and r.answer is not None and r.answer.status == 503
        else r
        for r in records
    ]


def test_one_user_alone_says_nothing_about_others() -> None:
    it = Personal()
    it.post()
    unseen(it.end(), "private/isolation")


# ---- private/all-tabs ----------------------------------------------------------------


@BOTH
def test_tabs(profile: Profile) -> None:
    it = Personal(profile=profile)
    it.begin("a")
    it.post()
    it.post()
    it.wait(4)
    it.end()
    spared(it, "private/all-tabs")
    caught(it, "private/all-tabs", drop(2, "text 1"))
    caught(it, "private/all-tabs", drop(2, "text 2"))


def test_another_users_stream_is_no_tab() -> None:
    it = Personal()
    it.second()
    it.post()
    it.wait(4)
    unseen(it.end(), "private/all-tabs")


def test_a_uid_within_a_uid_is_no_leak() -> None:
    """The connection ids of "u1-salt_" may hold the name of their own user."""
    for data, leaks in (("u1-salt_-7", False), ("u1-salt", True)):
        it = Personal()
        longer = it.begin(witness_of("u3"), uid="u1-salt_")
        it.frame(longer, f"event: note\ndata: {data}\n\n")
        it.post(uid="u1-salt_")
        it.post()
        it.end()
        assert any("isolation" in one for one in failed(it.judged())) == leaks


# ---- private/uid-required ------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 500])
def test_without_a_uid(status: int) -> None:
    it = Personal()
    it.post()
    it.asked(F.NO_UID, "no cookie", 401, text="marker")
    spared(it.end(), "private/uid-required")
    it = Personal()
    it.post()
    it.asked(F.NO_UID, "no cookie", status, text="marker")
    assert str(status) in caught(it.end(), "private/uid-required")


def test_turned_away_and_yet_stored() -> None:
    it = Personal()
    it.asked(F.NO_UID, "no cookie", 401, text="text 1 of u1")
    it.post()
    assert "was stored or sent" in caught(it.end(), "private/uid-required")


# ---- write/rate-limit ----------------------------------------------------------------

WAIT = {"retry-after": "1"}
ERROR = '{"error": {"code": "bad", "message": "no"}}'


def refused(it: Personal, *, uid: str = U1, **fields: Any) -> None:
    fields = {"text": "too much", "nonce": "nonce x", "headers": WAIT} | fields
    it.asked(F.CREATE, "", 429, uid=uid, **fields)


def test_one_message_a_second() -> None:
    it = Personal()
    it.post(support=False)
    refused(it)
    it.wait(1.1)
    it.post(support=False)
    spared(it.end(), "write/rate-limit")


def test_two_accepted_in_one_second() -> None:
    it = Personal()
    it.post(support=False)
    it.wait(0.6)
    it.post(support=False)
    assert "both accepted within 0.6" in caught(it.end(), "write/rate-limit")


def test_support_and_other_users_are_not_counted() -> None:
    it = Personal()
    it.second()
    it.post(support=False)
    it.post(support=False, uid=U2)
    it.post()
    it.post()
    unseen(it.end(), "write/rate-limit")
    refused(it, support=True)
    assert "support side" in caught(it, "write/rate-limit")


@pytest.mark.parametrize(
    "before", ["nothing", "refused", "of another", "long ago", "late"]
)
def test_refused_for_nothing(before: str) -> None:
    it = Personal()
    it.second()
    if before == "refused":
        it.post(support=False)
        it.wait(0.5)
        refused(it)
        it.wait(0.7)
    elif before == "of another":
        it.post(support=False, uid=U2)
    elif before in ("long ago", "late"):
        it.post(support=False)
        it.wait(1.5)
        if before == "late":
            it.lag(0.5)
    refused(it)
    assert "no other of its uid" in caught(it.end(), "write/rate-limit")


@pytest.mark.parametrize(
    ("path", "waited_s", "excused"),
    [
        ("/", 0.5, True),
        ("/", 1.5, False),
        ("/log/ping", 0.5, False),
        ("/log/operator/u1/messages", 0.5, False),
    ],
)
def test_bad_input_may_be_counted(path: str, waited_s: float, excused: bool) -> None:
    it = Personal()
    request = Request(method="POST", path=path, body="no json")
    it.asked(F.BAD_INPUT, "no json", 400, uid=U1, request=request)
    it.wait(waited_s)
    refused(it, request=Request(method="POST", path="/"))
    it.end()
    if excused:
        unseen(it, "write/rate-limit")
    else:
        assert "no other of its uid" in caught(it, "write/rate-limit")


def test_who_is_told_that_bad_input_comes_too_soon_has_not_refused_it() -> None:
    it = Personal()
    it.asked(F.BAD_INPUT, "no json", 429, uid=U1, body=ERROR)
    unseen(it.end(), "write/bad-input")
    it = Personal()
    it.asked(F.BAD_INPUT, "no json", 400, uid=U1, body=ERROR)
    spared(it.end(), "write/bad-input")


@pytest.mark.parametrize(
    ("given", "good"),
    [
        ("1", True),
        ("Wed, 21 Oct 2026 07:28:00 GMT", True),
        ("", False),
        ("soon", False),
    ],
)
def test_the_hint_of_a_refusal(given: str, good: bool) -> None:
    it = Personal()
    it.post(support=False)
    refused(it, headers={"retry-after": given} if given else {})
    it.end()
    if good:
        spared(it, "write/rate-limit")
    else:
        assert "Retry-After" in caught(it, "write/rate-limit")


def test_refused_and_kept() -> None:
    it = Personal()
    it.post(support=False)
    refused(it, nonce="nonce 1")
    assert "answered 429 and kept" in caught(it.end(), "write/rate-limit")


# ---- history/* -----------------------------------------------------------------------


def many(count: int, profile: Profile = Profile.LOG) -> Personal:
    it = Personal(profile=profile)
    for _ in range(count):
        it.post()
    it.walk()
    return it


@BOTH
def test_pages(profile: Profile) -> None:
    it = many(401, profile).end()
    spared(it, "history/page-size")
    spared(it, "history/pages")


@pytest.mark.parametrize(
    ("f", "body"),
    [
        (F.INIT, {"messages": [], "more": True}),
        (F.INIT, {"messages": [], "more": "no"}),
        (F.INIT, {"messages": []}),
        (F.INIT, {"messages": [{"id": i} for i in range(201)], "more": False}),
        (F.HISTORY, {"messages": [{"id": i} for i in range(5)], "more": True}),
    ],
    ids=range(5),
)
def test_a_page_that_cannot_be(f: F, body: dict[str, Any]) -> None:
    it = two_users().end()
    caught(it, "history/page-size", answer_of(f, body))


def test_more_that_is_not_there_and_less_that_is() -> None:
    def lying(more: bool, size: int) -> Edit:
        def edit(records: list[Any]) -> list[Any]:
            out = []
            for r in records:
                body = r.answer.body if isinstance(r, Ok) and r.answer else ""
                page = json.loads(body) if '"more"' in body else {}
                if len(page.get("messages", ())) == size:
                    text = json.dumps(page | {"more": more})
                    r = msgspec.structs.replace(r, answer=Answer(status=200, body=text))
                out.append(r)
            return out

        return edit

    assert "no more" in caught(many(201).end(), "history/page-size", lying(False, 200))
    said = caught(many(200).end(), "history/page-size", lying(True, 200))
    assert "that there are more" in said


def test_a_page_with_the_message_it_is_before() -> None:
    it = many(201)
    body = json.dumps({"messages": [{"id": 2, "value": {}}], "more": False})
    wrong = change(
        Ok,
        lambda r: r.answer is not None and len(r.answer.body) < 500
        and '"id": 1,' in r.answer.body,
        answer=Answer(status=200, body=body),
    )  # fmt: skip
    assert "before 2 holds" in caught(it.end(), "history/pages", wrong)


@BOTH
def test_a_message_written_while_a_walk_goes_on(profile: Profile) -> None:
    it = Personal(profile=profile)
    for _ in range(230):
        it.post()
    it.walk()
    shown = [r for r in it.records if isinstance(r, Ok)][-2]
    it.end()
    spared(it, "history/pages")
    short = json.dumps({"messages": it.chat(U1).stored[:29], "more": False})
    lost = change(Ok, lambda r: r.n == shown.n, answer=Answer(status=200, body=short))
    caught(it, "history/pages", lost)


# ---- converge ------------------------------------------------------------------------


def seen_by(who: str, messages: list[dict[str, Any]]) -> Edit:
    """What a tab shows at the end."""
    shown = tuple(Message(id=m["id"], value=m["value"]) for m in messages)
    return change(View, lambda view: view.who == who, messages=shown)


def test_views_are_compared_as_far_as_both_look_back() -> None:
    """A tab that came late shows the last page; the last snapshot shows no more."""
    it = many(230)
    it.begin("late")
    it.post()
    it.end()
    stored = it.chat(U1).stored
    spared(it, "converge", seen_by("late", stored[30:]))
    caught(it, "converge", seen_by("late", [*stored[30:-2], stored[-1]]))
    caught(it, "converge", seen_by("late", stored[:-1]))
    caught(it, "converge", seen_by("late", stored[-1:]))
    caught(it, "converge", seen_by("late", []))


def test_a_tab_that_was_there_from_the_beginning_shows_everything() -> None:
    it = many(5)
    it.begin("a")
    it.end()
    stored = it.chat(U1).stored
    spared(it, "converge")
    caught(it, "converge", seen_by("a", stored[1:]))
