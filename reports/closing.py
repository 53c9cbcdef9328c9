"""The closing report of a run on the terminal: verdict last, evidence before it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.core.verdict import Finding, Sighting
from reports.inert import one_line
from reports.result import (
    CaseResult,
    Outcome,
    RequirementResult,
    RowVerdict,
    RunResult,
    RunVerdict,
)

FINDINGS_SHOWN = 3
"""Sentences shown for a case; the rest is counted and stands in the report."""

SENTENCE_LENGTH = 400
"""Longer sentences are cut at a word's end here; the report has them whole."""

OUTCOME_STYLE = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.WARNING: "yellow",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.COULD_NOT_RUN: "bold magenta",
}

_ROW_STYLE = {
    RowVerdict.PASS: "green",
    RowVerdict.FAIL: "bold red",
    RowVerdict.WARN: "yellow",
    RowVerdict.UNKNOWN: "magenta",
    RowVerdict.NOT_JUDGED: "dim",
}

_RUN_STYLE = {
    RunVerdict.CONFORMS: "bold green",
    RunVerdict.DOES_NOT_CONFORM: "bold red",
    RunVerdict.COULD_NOT_RUN: "bold magenta",
}

_CELL = 28
"""Room of the last column at 80 characters."""

_TOLD = (Outcome.FAILED, Outcome.COULD_NOT_RUN, Outcome.WARNING)


def closing(
    result: RunResult, console: Console, *, report: str = "", verbose: bool = False
) -> None:
    """Print the table, the cases that need a reader, and the verdict as last line.

    Values are wrapped, never cut in their middle, so that a copied path or cursor
    is whole; paths stand on lines of their own that the terminal may wrap.
    """
    if any(row.scenarios or row.exercised for row in result.requirements):
        console.print(_table(result.requirements, verbose=verbose))
        _say_not_judged(result.requirements, console)
    for outcome in _TOLD:
        for case in result.cases:
            if case.outcome is outcome:
                _tell(case, console)
    _say_not_applicable(result.cases, console)
    _say_tried_again(result.cases, console)
    console.print(Text(""))
    console.print(_last_line(result, report), soft_wrap=True)


def summary_of(cases: Iterable[CaseResult]) -> str:
    """Counts in words: "41 cases: 39 passed, 1 failed, 1 could not run"."""
    counts = Counter(case.outcome for case in cases)
    total = _count(sum(counts.values()), "case")
    parts = [f"{counts[one]} {one.value}" for one in Outcome if counts[one]]
    return total + (f": {', '.join(parts)}" if parts else "")


def by_area(
    rows: Iterable[RequirementResult],
) -> dict[str, list[RequirementResult]]:
    """Rows grouped by the part of their id before the slash, in table order."""
    areas: dict[str, list[RequirementResult]] = {}
    for row in rows:
        areas.setdefault(row.id.split("/")[0], []).append(row)
    return areas


def _table(rows: Sequence[RequirementResult], *, verbose: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", overflow="fold", min_width=28)
    table.add_column("level", no_wrap=True, min_width=6)
    table.add_column("verdict", no_wrap=True, min_width=10)
    table.add_column("cases", overflow="fold")
    for area, members in by_area(rows).items():
        kept, counted = _split(members, verbose=verbose)
        if any(row.verdict is RowVerdict.PASS for row in counted):
            table.add_row(Text(one_line(area)), "", *_condensed(counted))
        for row in kept:
            table.add_row(
                Text(one_line(row.id)),
                Text(row.level),
                Text(row.verdict.value, style=_ROW_STYLE[row.verdict]),
                Text(_cases_of(row)),
            )
    return table


def _split(
    members: Sequence[RequirementResult], *, verbose: bool
) -> tuple[list[RequirementResult], list[RequirementResult]]:
    """Rows to show in full, and rows that are only counted."""
    quiet = (RowVerdict.PASS, RowVerdict.NOT_JUDGED)
    if verbose:
        return list(members), []
    kept = [row for row in members if row.verdict not in quiet]
    return kept, [row for row in members if row.verdict in quiet]


def _condensed(rows: Sequence[RequirementResult]) -> tuple[Text, Text]:
    """Verdict and cases columns of the passed rows of an area, which are counted."""
    passed = [row for row in rows if row.verdict is RowVerdict.PASS]
    cases = len({name for row in passed for name in row.scenarios})
    told = Text(f"{len(passed)} pass", style="green")
    return told, Text(_count(cases, "case"))


def _say_not_judged(rows: Sequence[RequirementResult], console: Console) -> None:
    silent = [row for row in rows if row.verdict is RowVerdict.NOT_JUDGED]
    if silent:
        told = f"{_count(len(silent), 'requirement')} not judged by these cases"
        console.print(Text(told, style="dim"))
    for profile in dict.fromkeys(one for row in rows for one in row.profiles):
        left = [
            row.id
            for row in rows
            if row.profiles.get(profile) is RowVerdict.NOT_JUDGED and row not in silent
        ]
        if left:
            told = f"not judged in profile {one_line(profile)}: {', '.join(left)}"
            console.print(Text(one_line(told), style="dim"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _cases_of(row: RequirementResult) -> str:
    """The scenarios that broke it, else those marked with it.

    Counted when their names would not fit a narrow cell: each is told below.
    """
    broken = dict.fromkeys(
        one.scenario for one in row.findings if one.finding.sighting is Sighting.BROKEN
    )
    failed = row.verdict in (RowVerdict.FAIL, RowVerdict.WARN)
    names = list(dict.fromkeys(broken if failed else row.scenarios))
    shown = [_short(name) for name in names]
    if len(shown) > 2 or any(len(name) > _CELL for name in shown):
        return _count(len(shown), "case")
    return "\n".join(shown) or "-"


def _short(scenario: str) -> str:
    """A scenario without its file: table cells are narrow, the file stands below."""
    return one_line(scenario.rsplit("::", 1)[-1])


def _tell(case: CaseResult, console: Console) -> None:
    """One case that needs a reader: what it is, what was seen, where the proof is."""
    console.print(Text(""))
    head = Text(case.outcome.value.upper(), style=OUTCOME_STYLE[case.outcome])
    mutant = f" [mutant {one_line(case.mutant)}]" if case.mutant else ""
    head.append(f"  {one_line(case.scenario)}{mutant}", style="bold")
    console.print(head, soft_wrap=True)
    if case.title:
        _indented(Text(one_line(case.title)), console)
    findings = broken_of(case)
    for finding in findings[:FINDINGS_SHOWN]:
        slug = Text(one_line(finding.requirement), style="cyan")
        _indented(slug.append(f": {_sentence(finding.sentence)}", style=""), console)
    if len(findings) > FINDINGS_SHOWN:
        _indented(Text(f"+{len(findings) - FINDINGS_SHOWN} more findings"), console)
    for reason in case.reasons[:FINDINGS_SHOWN]:
        _indented(Text(_sentence(reason), style="magenta"), console)
    if len(case.reasons) > FINDINGS_SHOWN:
        _indented(Text(f"+{len(case.reasons) - FINDINGS_SHOWN} more reasons"), console)
    if case.history:
        line = Text(f"  history: {one_line(case.history)}", style="dim")
        console.print(line, soft_wrap=True)


def broken_of(case: CaseResult) -> list[Finding]:
    """The broken findings of a case, one of each requirement first.

    A flood of one kind must not push the only finding of another off the screen.
    """
    ranked = [
        (rank, finding)
        for judgement in case.judgements
        for rank, finding in enumerate(
            one for one in judgement.findings if one.sighting is Sighting.BROKEN
        )
    ]
    return [finding for _, finding in sorted(ranked, key=lambda pair: pair[0])]


def _sentence(text: str) -> str:
    line = one_line(text)
    if len(line) <= SENTENCE_LENGTH:
        return line
    kept = line[:SENTENCE_LENGTH]
    kept = kept.rsplit(" ", 1)[0] if " " in kept else kept
    return f"{kept} ... (+{len(line) - len(kept)} characters, whole in the report)"


def _indented(text: Text, console: Console) -> None:
    """Print wrapped to the width, two spaces in, so that blocks stay readable."""
    width = max(20, console.width - 2)
    for line in text.wrap(console, width, overflow="fold"):
        console.print(Text("  ").append_text(line))


def _say_not_applicable(cases: Sequence[CaseResult], console: Console) -> None:
    skipped = [case for case in cases if case.outcome is Outcome.NOT_APPLICABLE]
    reasons = Counter(
        _sentence(case.reasons[0]) if case.reasons else "no reason given"
        for case in skipped
    )
    if reasons:
        console.print(Text(""))
    for reason, count in reasons.items():
        _indented(Text(f"not applicable ({count}): {reason}"), console)


def _say_tried_again(cases: Sequence[CaseResult], console: Console) -> None:
    again = sum(case.tries > 1 for case in cases)
    if again:
        said = f"tried again ({again}): the harness was late, which proved nothing"
        _indented(Text(said), console)


def _last_line(result: RunResult, report: str) -> Text:
    mutant = f", mutant {one_line(result.mutant)}" if result.mutant else ""
    profiles = one_line(", ".join(result.profiles))
    line = Text(f"{one_line(result.target)} ({profiles}{mutant}) ")
    line.append(result.verdict.value, style=_RUN_STYLE[result.verdict])
    line.append(f": {summary_of(result.cases)}; {result.duration_s:.1f} s")
    if report:
        line.append(f"; report: {one_line(report)}")
    return line
