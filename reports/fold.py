"""Judgements folded into outcomes, rows and one verdict: pure, and never kinder.

FAIL beats "could not tell" beats PASS at every step, so adding a failing judgement
never makes a case, a row or a run look better.
"""

from collections.abc import Iterable, Mapping, Sequence

from harness.core.requirement import Level, Requirement
from harness.core.verdict import CaseJudgement, Judgement, Sighting, Verdict
from reports.result import (
    CaseResult,
    Outcome,
    RequirementResult,
    RowVerdict,
    RunFacts,
    RunResult,
    RunVerdict,
    SourcedFinding,
)

EXIT_STATUS = {
    RunVerdict.CONFORMS: 0,
    RunVerdict.DOES_NOT_CONFORM: 1,
    RunVerdict.COULD_NOT_RUN: 3,
}

_NOT_IN_TABLE = "(not in the requirement table of this release)"


def outcome_of(
    case: CaseJudgement, marked: Sequence[str], table: Mapping[str, Requirement]
) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome of a case that ran, and what its reader is told beside findings.

    An id that the table does not know counts as a MUST.
    """
    levels = {
        _level_of(judgement.requirement, table)
        for judgement in case.judgements
        if judgement.verdict is Verdict.FAIL
    }
    unclear = tuple(_unclear(case, marked))
    reasons = (*case.could_not_run, *unclear, *_noted(case, marked))
    if Level.MUST in levels:
        return Outcome.FAILED, reasons
    if case.could_not_run or unclear:
        return Outcome.COULD_NOT_RUN, reasons
    return (Outcome.WARNING if levels else Outcome.PASSED), reasons


def case_result(
    case: CaseJudgement,
    marked: Sequence[str],
    table: Mapping[str, Requirement],
    *,
    title: str = "",
    history: str = "",
    duration_s: float = 0.0,
    mutant: str = "",
    profile: str = "",
) -> CaseResult:
    """A judged case as it goes into the result."""
    outcome, reasons = outcome_of(case, marked, table)
    return CaseResult(
        scenario=case.scenario,
        outcome=outcome,
        title=title,
        requirements=tuple(marked),
        judgements=case.judgements,
        reasons=reasons,
        could_not_run=case.could_not_run,
        history=history,
        duration_s=duration_s,
        mutant=mutant,
        profile=profile,
    )


def fold_run(
    facts: RunFacts,
    cases: Iterable[CaseResult],
    table: Mapping[str, Requirement],
) -> RunResult:
    """The whole run: every requirement of its profiles, then the verdict."""
    kept = tuple(cases)
    verdict = run_verdict(kept)
    return RunResult(
        **{name: getattr(facts, name) for name in RunFacts.__struct_fields__},
        cases=kept,
        requirements=fold_requirements(kept, table, profiles=tuple(facts.profiles)),
        verdict=verdict,
        exit_status=EXIT_STATUS[verdict],
    )


def run_verdict(cases: Iterable[CaseResult]) -> RunVerdict:
    """Failed beats could-not-run beats conforms; nothing that ran is no verdict."""
    outcomes = {case.outcome for case in cases}
    if Outcome.FAILED in outcomes:
        return RunVerdict.DOES_NOT_CONFORM
    ran = outcomes & {Outcome.PASSED, Outcome.WARNING}
    if Outcome.COULD_NOT_RUN in outcomes or not ran:
        return RunVerdict.COULD_NOT_RUN
    return RunVerdict.CONFORMS


def fold_requirements(
    cases: Sequence[CaseResult],
    table: Mapping[str, Requirement],
    *,
    profiles: Sequence[str],
) -> tuple[RequirementResult, ...]:
    """One row for each requirement of the profiles, and for each that was judged."""
    judged = {
        judgement.requirement for case in cases for judgement in case.judgements
    } | {slug for case in cases for slug in case.requirements}
    slugs = [
        slug
        for slug, row in table.items()
        if slug in judged or any(one in row.profiles for one in profiles)
    ]
    slugs += sorted(judged - set(table))
    return tuple(_row(slug, cases, table.get(slug), profiles) for slug in slugs)


def _row(
    slug: str,
    cases: Sequence[CaseResult],
    known: Requirement | None,
    profiles: Sequence[str],
) -> RequirementResult:
    level = known.level if known else Level.MUST
    return RequirementResult(
        id=slug,
        level=level,
        text=known.text if known else _NOT_IN_TABLE,
        source=known.source if known else "",
        verdict=_row_verdict(slug, level, cases),
        exercised=sum(one.exercised for case in cases for one in _on(slug, case)),
        scenarios=tuple(case.scenario for case in cases if slug in case.requirements),
        findings=tuple(_findings(slug, cases)),
        profiles={
            one: _row_verdict(slug, level, [c for c in cases if c.profile in (one, "")])
            for one in profiles
            if known is None or one in known.profiles
        },
    )


def _row_verdict(slug: str, level: Level, cases: Sequence[CaseResult]) -> RowVerdict:
    said = [case_says(slug, case) for case in cases]
    if Verdict.FAIL in said:
        return RowVerdict.FAIL if level is Level.MUST else RowVerdict.WARN
    if Verdict.UNKNOWN in said:
        return RowVerdict.UNKNOWN
    return RowVerdict.PASS if Verdict.PASS in said else RowVerdict.NOT_JUDGED


def case_says(slug: str, case: CaseResult) -> Verdict | None:
    """What one case says about a requirement; None when it says nothing.

    Any case may break a requirement; only one marked with it may pass it, and then
    only when nothing kept the case from saying what it was made to say.
    """
    verdicts = [judgement.verdict for judgement in _on(slug, case)]
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if slug not in case.requirements or case.outcome is Outcome.NOT_APPLICABLE:
        return None
    spoiled = bool(case.could_not_run) or case.outcome is Outcome.COULD_NOT_RUN
    if spoiled or not verdicts or Verdict.UNKNOWN in verdicts:
        return Verdict.UNKNOWN
    return Verdict.PASS


def _findings(slug: str, cases: Sequence[CaseResult]) -> Iterable[SourcedFinding]:
    """Broken ones from every case, unclear ones from cases marked with it."""
    for case in cases:
        for judgement in _on(slug, case):
            for finding in judgement.findings:
                broken = finding.sighting is Sighting.BROKEN
                if broken or slug in case.requirements:
                    yield SourcedFinding(scenario=case.scenario, finding=finding)


def _unclear(case: CaseJudgement, marked: Sequence[str]) -> Iterable[str]:
    """Why each marked requirement that could not be told was not."""
    for slug in marked:
        found = [one for one in case.judgements if one.requirement == slug]
        if not found:
            yield f"{slug}: not judged, though the case is marked with it"
        yield from (
            _says_unknown(one) for one in found if one.verdict is Verdict.UNKNOWN
        )


def _noted(case: CaseJudgement, marked: Sequence[str]) -> Iterable[str]:
    """Unclear findings on requirements that the case is not marked with."""
    for one in case.judgements:
        unmarked = one.requirement not in marked
        if unmarked and one.verdict is Verdict.UNKNOWN and one.findings:
            yield f"noted only: {_says_unknown(one)}"


def _says_unknown(judgement: Judgement) -> str:
    slug = judgement.requirement
    if not judgement.findings:
        return f"{slug}: never exercised, so nothing can be said"
    first = judgement.findings[0].sentence or "unclear"
    more = len(judgement.findings) - 1
    return f"{slug}: {first}" + (f" (+{more} more)" if more else "")


def _on(slug: str, case: CaseResult) -> list[Judgement]:
    return [one for one in case.judgements if one.requirement == slug]


def _level_of(slug: str, table: Mapping[str, Requirement]) -> Level:
    known = table.get(slug)
    return known.level if known else Level.MUST
