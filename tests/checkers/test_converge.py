"""converge, and what `judge` makes of a history as a whole."""

from typing import Any

import msgspec
import pytest

from harness.checkers import judge
from harness.checkers.converge import _unlike
from harness.checkers.look import RULES, Rule
from harness.core.fault import FaultKind
from harness.core.history import (
    Answer,
    AnyRecord,
    End,
    F,
    Info,
    Invoke,
    LifePhase,
    Message,
    Ok,
    View,
)
from harness.core.profile import Profile
from harness.core.verdict import Verdict
from scenarios.requirements import REQUIREMENTS
from tests.checkers.story import (
    Edit,
    Story,
    caught,
    change,
    of,
    spared,
    unseen,
    verdict,
)


def story() -> Story:
    it = Story()
    it.begin()
    it.begin("a")
    it.create()
    it.create()
    return it


def test_view_differs() -> None:
    it = story().end()
    spared(it, "converge")
    empty = change(View, lambda v: v.who == "a", messages=())
    assert "shows 0" in caught(it, "converge", empty)
    other = change(
        View, lambda v: v.who == "a", messages=(Message(id=1, value={}), Message(id=2))
    )
    caught(it, "converge", other)


def differing(view: View) -> tuple[Message, ...]:
    """The same with another first message."""
    first = msgspec.structs.replace(view.messages[0], value={"text": "another"})
    return (first, *view.messages[1:])


@pytest.mark.parametrize("how", ["all has come", "a write is open", "it is not shown"])
def test_written_a_moment_before_the_end(how: str) -> None:
    """What has been dispatched cannot be on its way."""
    it = story()
    it.create(lost=how == "a write is open")
    it.end(settle=False)
    view = next(r for r in it.records if isinstance(r, View) and r.who == "a")
    shown = differing(view)[: -1 if how == "it is not shown" else None]
    edit = change(View, lambda v: v.who == "a", messages=shown)
    if how == "all has come":
        assert "message 1 differs" in caught(it, "converge", edit)
    else:
        assert verdict(it.judged(edit), "converge") is not Verdict.FAIL


def test_view_of_a_client_whose_fault_was_not_healed() -> None:
    it = story()
    it.fault(FaultKind.STALL, "a")
    it.end()
    empty = change(View, lambda v: v.who == "a", messages=())
    spared(it, "converge", empty)


def test_final_snapshot_is_not_what_was_written() -> None:
    it = story()
    it.server.window.pop()
    caught(it.end(), "converge")


def test_server_dies() -> None:
    it = story()
    it.life(LifePhase.EXITED, status=1, output="Traceback: boom")
    assert "boom" in caught(it.end(), "converge")


def answered_last(answer: Answer | None, **kwargs: str) -> Edit:
    """In place of the last snapshot's answer."""

    def edit(records: list[AnyRecord]) -> list[AnyRecord]:
        calls = [r.n for r in records if isinstance(r, Invoke) and r.f is F.INIT]
        return [
            Info(n=r.n, t_s=r.t_s, call=r.call, answer=answer, **kwargs)
            if isinstance(r, Ok) and r.call == calls[-1]
            else r
            for r in records
        ]

    return edit


def test_server_does_not_answer_at_the_end() -> None:
    it = story().end()
    assert "500" in caught(it, "converge", answered_last(Answer(status=500)))
    silent = answered_last(None, error="no answer within 5 s")
    assert "nothing" in caught(it, "converge", silent)


@pytest.mark.parametrize(
    ("lag_s", "found"), [(0.3, Verdict.FAIL), (3.0, Verdict.UNKNOWN)]
)
def test_no_answer_at_the_end_while_the_harness_was_late(
    lag_s: float, found: Verdict
) -> None:
    it = Story("converge")
    it.begin()
    it.lag(lag_s)
    silent = answered_last(None, error="no answer within 5 s")
    assert verdict(it.end().judged(silent), "converge") is found


def test_no_views_no_verdict() -> None:
    it = story()
    it.add(End)
    unseen(it, "converge")


def test_marked_but_not_exercised_is_unknown() -> None:
    it = Story("reset/evicted", "load/herd")
    it.begin()
    judged = it.end().judged()
    for slug in ("reset/evicted", "load/herd"):
        found = of(judged, slug)
        assert found is not None
        assert (found.verdict, found.exercised) == (Verdict.UNKNOWN, 0)


def test_reasons_why_a_case_could_not_run() -> None:
    it = story()
    it.note("bounded wait: a live")
    it.fault(FaultKind.STALL, "a", effect=False)()
    it.fault(FaultKind.LATENCY, "a", delay_ms=5)
    it.add(End, complete=False, reason="out of sockets")
    reasons = " | ".join(it.judged().could_not_run)
    for word in ("bounded wait", "stall of a", "latency of a", "out of sockets"):
        assert word in reasons


def test_torn_history() -> None:
    history = story().history()
    assert "torn" in judge(history).could_not_run[0]


def test_crashed_rule_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError("by zero")
        yield

    monkeypatch.setitem(RULES, "event/order", Rule(crash, tuple(Profile)))
    judged = story().end().judged()
    assert verdict(judged, "event/order") is Verdict.UNKNOWN
    assert any("event/order" in reason for reason in judged.could_not_run)
    assert verdict(judged, "event/no-loss") is Verdict.PASS


def test_unclear_counts_only_where_it_was_meant() -> None:
    def mute(*marked: str) -> Story:
        it = Story(*marked)
        it.begin()
        it.open("mute", pings=False)
        it.wait(3)
        it.lag(2.0)
        return it.end()

    unseen(mute(), "ping/silent-dropped")
    found = of(mute("ping/silent-dropped").judged(), "ping/silent-dropped")
    assert found is not None
    assert found.verdict is Verdict.UNKNOWN
    assert "still open" in found.findings[0].sentence


def test_every_judged_requirement_has_a_rule() -> None:
    assert set(RULES) == set(REQUIREMENTS)
    for slug, rule in RULES.items():
        assert rule.profiles == REQUIREMENTS[slug].profiles, slug


def test_findings_are_capped() -> None:
    it = Story(message_limit=50, log_limit=90)
    it.begin()
    for _ in range(40):
        it.create()
    wrong = change(
        Ok,
        lambda r: r.answer is not None and '"nonce"' in r.answer.body,
        answer=Answer(status=200, body='{"id": 1, "row": 2}'),
    )
    found = of(it.end().judged(wrong), "init/no-database-ids")
    assert found is not None
    assert len(found.findings) == 20


def test_judging_changes_nothing() -> None:
    history = story().end().history()
    before = msgspec.json.encode(history)
    assert judge(history) == judge(history)
    assert msgspec.json.encode(history) == before


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"id": 1}, {"id": 2}, " in id: 1 to it and 2"),
        ({"text": "x" * 500 + "ab"}, {"text": "x" * 500 + "c"}, ": 'ab' to it and 'c'"),
        (
            {"value": {"text": "ab"}},
            {"value": {"text": "abc"}},
            " after 2 characters: ",
        ),
        ({"value": {"nonce": "n"}}, {"value": {}}, " in nonce: 'n' to it and None"),
        ({"id": 1}, {"id": 1, "nonce": None}, ": {'id': 1} to it and "),
        ({"id": 1}, ["odd"], ": {'id': 1} to it and ['odd']"),
    ],
)
def test_a_difference_is_told_from_where_it_begins(
    one: Any, other: Any, said: str
) -> None:
    assert said in _unlike(one, other)
