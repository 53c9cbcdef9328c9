"""Folding is never kind: FAIL beats "could not tell" beats PASS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.verdict import CaseJudgement, Judgement, Verdict
from reports.fold import case_result, fold_requirements, outcome_of, run_verdict
from reports.result import CaseResult, Outcome, RowVerdict, RunVerdict
from tests.reports import sample
from tests.reports.sample import TABLE, broken, case, held, unclear

SLUGS = tuple(TABLE)
BADNESS = (Outcome.PASSED, Outcome.WARNING, Outcome.COULD_NOT_RUN, Outcome.FAILED)
ROW_BADNESS = (
    RowVerdict.PASS,
    RowVerdict.NOT_JUDGED,
    RowVerdict.UNKNOWN,
    RowVerdict.WARN,
    RowVerdict.FAIL,
)


def outcome(*judgements: Judgement, marked: tuple[str, ...] = (), why: str = "") -> str:
    judged = CaseJudgement(
        scenario="s", judgements=judgements, could_not_run=(why,) if why else ()
    )
    return outcome_of(judged, marked, TABLE)[0].value


def test_outcomes() -> None:
    must, should = "event/no-loss", "stream/no-store"
    assert outcome(held(must), marked=(must,)) == "passed"
    assert outcome(broken(must), marked=(must,)) == "failed"
    assert outcome(held(must), broken("event/order"), marked=(must,)) == "failed"
    assert outcome(held(must), broken(should), marked=(must,)) == "warning"
    assert outcome(unclear(must), marked=(must,)) == "could not run"
    assert outcome(held(must), why="torn", marked=(must,)) == "could not run"
    assert outcome(broken(must), why="torn", marked=(must,)) == "failed"
    assert outcome(broken(should), why="torn") == "could not run"
    assert outcome(broken("of/tomorrow")) == "failed"
    assert outcome(marked=(must,)) == "could not run"


def test_unmarked_unknown_is_noted_and_not_fatal() -> None:
    judged = CaseJudgement(
        scenario="s", judgements=(held("converge"), unclear("event/order"))
    )
    found, reasons = outcome_of(judged, ("converge",), TABLE)
    assert found is Outcome.PASSED
    assert reasons == ("noted only: event/order: the cut fell inside the frame",)


def rows(*cases: CaseResult) -> dict[str, str]:
    return {
        row.id: row.verdict.value
        for row in fold_requirements(cases, TABLE, profiles=("broadcast",))
    }


def test_rows() -> None:
    marked = ("event/no-loss", "stream/no-store")
    good = case("a", held("event/no-loss"), held("stream/no-store"), marked=marked)
    assert rows(good)["event/no-loss"] == "pass"
    assert rows(good)["converge"] == "not judged"
    assert (
        rows(good, case("b", broken("event/no-loss"), marked=()))["event/no-loss"]
        == "fail"
    )
    assert rows(good, case("b", broken("stream/no-store")))["stream/no-store"] == "warn"
    assert rows(good, case("b", unclear("event/no-loss")))["event/no-loss"] == "unknown"
    assert rows(case("a", held("event/order")))["event/order"] == "not judged"
    assert rows(sample.not_applicable("x"))["event/no-loss"] == "not judged"


def test_a_case_that_could_not_run_passes_nothing() -> None:
    spoiled = case("a", held("event/no-loss"), could_not_run=("torn",))
    assert rows(spoiled)["event/no-loss"] == "unknown"
    failed = case(
        "a", held("event/no-loss"), broken("event/order"), could_not_run=("torn",)
    )
    assert failed.outcome is Outcome.FAILED
    assert rows(failed)["event/no-loss"] == "unknown"


def test_an_id_that_the_table_does_not_know_gets_a_row() -> None:
    assert rows(case("a", broken("of/tomorrow")))["of/tomorrow"] == "fail"


@pytest.mark.parametrize(
    ("outcomes", "verdict", "status"),
    [
        ((), RunVerdict.COULD_NOT_RUN, 3),
        (("not applicable",), RunVerdict.COULD_NOT_RUN, 3),
        (("passed", "warning", "not applicable"), RunVerdict.CONFORMS, 0),
        (("passed", "could not run"), RunVerdict.COULD_NOT_RUN, 3),
        (("passed", "could not run", "failed"), RunVerdict.DOES_NOT_CONFORM, 1),
    ],
)
def test_run_verdicts(
    outcomes: tuple[str, ...], verdict: RunVerdict, status: int
) -> None:
    cases = [CaseResult(scenario="s", outcome=Outcome(one)) for one in outcomes]
    assert run_verdict(cases) is verdict
    assert sample.run(*cases).exit_status == status


judgements = st.builds(
    lambda slug, make: make(slug),
    st.sampled_from(SLUGS),
    st.sampled_from([held, broken, unclear]),
)
whys = st.sampled_from([(), ("torn",)])
cases_drawn = st.builds(
    lambda seen, marked, why: case_result(
        CaseJudgement(scenario="s", judgements=tuple(seen), could_not_run=why),
        tuple(marked),
        TABLE,
    ),
    st.lists(judgements, max_size=5),
    st.lists(st.sampled_from(SLUGS), unique=True, max_size=3),
    whys,
)


@given(cases_drawn, st.sampled_from(SLUGS))
def test_a_failing_judgement_never_improves_a_case(one: CaseResult, slug: str) -> None:
    judged = {judgement.requirement for judgement in one.judgements}
    if slug in one.requirements and slug not in judged:
        return  # it was not judged at all: any judgement is news
    judged_more = CaseJudgement(
        scenario="s",
        judgements=(*one.judgements, broken(slug)),
        could_not_run=one.could_not_run,
    )
    found, _ = outcome_of(judged_more, one.requirements, TABLE)
    assert BADNESS.index(found) >= BADNESS.index(one.outcome)


@given(st.lists(cases_drawn, max_size=4), cases_drawn, st.sampled_from(SLUGS))
def test_a_broken_case_more_never_improves_a_run(
    cases: list[CaseResult], extra: CaseResult, slug: str
) -> None:
    worse = case_result(
        CaseJudgement(scenario="s", judgements=(*extra.judgements, broken(slug))),
        (),
        TABLE,
    )
    before, after = rows(*cases), rows(*cases, worse)
    for name, verdict in before.items():
        now = ROW_BADNESS.index(RowVerdict(after[name]))
        assert now >= ROW_BADNESS.index(RowVerdict(verdict)) or verdict == "not judged"
    if worse.outcome is Outcome.FAILED:
        assert run_verdict([*cases, worse]) is RunVerdict.DOES_NOT_CONFORM


@given(st.lists(cases_drawn, max_size=4))
def test_unknown_never_becomes_pass(cases: list[CaseResult]) -> None:
    told = rows(*cases)
    for one in cases:
        for judgement in one.judgements:
            unknown = judgement.verdict is Verdict.UNKNOWN
            if unknown and judgement.requirement in one.requirements:
                assert told[judgement.requirement] not in ("pass", "not judged")
                assert one.outcome in (Outcome.COULD_NOT_RUN, Outcome.FAILED)
    if run_verdict(cases) is RunVerdict.CONFORMS:
        assert all(one.outcome in (Outcome.PASSED, Outcome.WARNING) for one in cases)
