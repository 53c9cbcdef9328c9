"""The terminal: whole values at 80 columns, no colour, verdict last."""

import io
import re

import msgspec
from rich.console import Console

from harness.core.profile import Profile
from reports.fold import fold_run
from reports.terminal import LiveProgress, MutantRow, closing, matrix
from tests.reports import sample


def piped(width: int = 80) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width), out


def test_closing_reads_well_at_eighty_columns() -> None:
    console, out = piped()
    result = sample.mixed()
    path = "/work/unbroken-results/" + "a-long-name-" * 8 + "/report.html"
    closing(result, console, report=path)
    lines = out.getvalue().rstrip("\n").split("\n")
    assert lines[-1].endswith(path)
    assert lines[-1].startswith("reference (broadcast) does not conform: 5 cases: ")
    assert all(len(line.rstrip()) <= 80 for line in lines[:-1])
    assert "\x1b" not in out.getvalue()
    assert "event/no-loss: event 3f-6 was never delivered" in out.getvalue()
    assert "history: histories/case.jsonl" in out.getvalue()
    assert "…" not in out.getvalue()


def test_passed_requirements_are_condensed_unless_verbose() -> None:
    result = sample.run(sample.case("test_a", sample.held("event/no-loss")))
    console, out = piped()
    closing(result, console)
    assert "event/no-loss" not in out.getvalue()
    console, out = piped()
    closing(result, console, verbose=True)
    assert re.search(r"event/no-loss +MUST +pass +test_a", out.getvalue())
    assert "conforms: 1 case: 1 passed; 12.5 s" in out.getvalue()


def test_what_was_tried_again_is_told() -> None:
    case = sample.case("test_a", sample.held("event/no-loss"))
    again = msgspec.structs.replace(case, tries=2, duration_s=3.21)
    assert (case.took, again.took) == ("1.2 s", "3.2 s, try 2")
    console, out = piped()
    closing(sample.run(again), console)
    said = "tried again (1): the harness was late, which proved nothing"
    assert said in " ".join(out.getvalue().split())
    console, out = piped()
    closing(sample.run(case), console)
    assert "tried again" not in out.getvalue()


def test_a_flood_of_findings_is_counted() -> None:
    findings = [sample.broken("event/no-loss", sentence=f"lost {n}") for n in range(9)]
    console, out = piped()
    closing(sample.run(sample.case("a", *findings)), console)
    assert "lost 2" in out.getvalue()
    assert "lost 3" not in out.getvalue()
    assert "+6 more findings" in out.getvalue()


def test_hostile_text_reaches_no_terminal() -> None:
    result, _ = sample.hostile()
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    closing(result, console, report=sample.HOSTILE, verbose=True)
    text = out.getvalue()
    assert "\x1b[2J" not in text
    assert "\x1b]0;" not in text
    assert "\u202e" not in text
    assert "[bold]" in text.replace("\n", "")
    text.encode("utf-8")


def test_progress_off_a_terminal_is_a_line_a_case() -> None:
    console, out = piped()
    cases = sample.mixed().cases
    live = LiveProgress(console)
    live.start(len(cases))
    for case in cases:
        live.case_started(case.scenario)
        live.case_done(case)
    live.stop()
    lines = out.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[1] == "[2/5] failed         test_cuts.py::test_fails (1.2 s)"


def test_progress_on_a_terminal_tells_only_what_needs_a_reader() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    live = LiveProgress(console)
    live.start(5)
    for case in sample.mixed().cases:
        live.case_started(case.scenario)
        live.case_done(case)
    live.stop()
    live.stop()
    text = out.getvalue()
    assert "test_cuts.py::test_fails" in text
    assert "test_cuts.py::test_passes (" not in text
    assert "1 passed, 1 failed" in text


def test_matrix_ends_in_counts_and_cuts_no_name() -> None:
    long, slug = "m" * 30, "stream/registered-before-ping"
    rows = [
        MutantRow(mutant=long, requirement=slug, caught=True),
        MutantRow(mutant="b", requirement="event/order", caught=False),
        MutantRow(
            mutant="c",
            requirement="event/order",
            caught=False,
            caught_by=("event/no-loss",),
        ),
    ]
    console, out = piped()
    matrix(rows, console)
    lines = out.getvalue().rstrip("\n").split("\n")
    assert lines[-1] == "3 mutants: 1 killed, 1 survived, 1 caught only by another"
    assert long in out.getvalue()
    assert slug in out.getvalue()
    assert "c: caught only by another: event/no-loss" in out.getvalue()


def test_a_requirement_that_one_profile_was_not_judged_by_is_told() -> None:
    told = sample.case("test_a", sample.held("event/no-loss"))
    told = msgspec.structs.replace(told, profile="broadcast")
    both = (Profile.BROADCAST, Profile.LOG)
    slug = "event/no-loss"
    table = {slug: msgspec.structs.replace(sample.TABLE[slug], profiles=both)}
    facts = sample.facts(profiles=dict.fromkeys(both, sample.LIMITS))
    console, out = piped()
    closing(fold_run(facts, [told], table), console)
    assert "not judged in profile log: event/no-loss" in out.getvalue()
    assert "not judged in profile broadcast" not in out.getvalue()
    assert "reference (broadcast, log) conforms" in out.getvalue()


def test_mutants_that_cannot_be_caught_here_are_counted_apart() -> None:
    slug = "stream/survives-idle-proxy"
    rows = [
        MutantRow(mutant="a", requirement=slug, caught=False, applicable=False),
        MutantRow(mutant="b", requirement=slug, caught=True),
    ]
    console, out = piped()
    matrix(rows, console)
    *table, counts = out.getvalue().rstrip("\n").split("\n")
    assert counts.endswith("1 killed, 0 survived, 0 caught only by another, "
                           "1 not applicable")  # fmt: skip
    assert len(table) == 3
