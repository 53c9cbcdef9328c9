"""`unbroken judge`: the same verdicts again, from stored histories alone."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.checkers import judge as judge_history
from harness.commands.folder import prepare
from harness.commands.outcome import write_reports
from harness.commands.run import repeated
from harness.core.codec import load
from harness.core.errors import BadInput
from harness.core.history import Header, History
from reports.fold import case_result, fold_run
from reports.result import CaseResult, RunFacts
from reports.terminal import closing
from scenarios.requirements import REQUIREMENTS


def judge(*, histories: Sequence[Path], out: Path | None, verbose: bool) -> int:
    """Judge each file; gives the exit status."""
    loaded = [(path, load(path)) for path in _files(histories)]
    first = loaded[0][1].header
    for path, history in loaded:
        _check_same(first, history.header, path)
    if out is not None:
        prepare(out)
    cases = [judged(path, history) for path, history in loaded]
    headers = [history.header for _, history in loaded]
    result = fold_run(_facts(headers), cases, REQUIREMENTS)
    report = "" if out is None else str(write_reports(result, out))
    closing(result, Console(), report=report, verbose=verbose)
    return result.exit_status


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, each once; of a folder every .jsonl file below it."""
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        if not found:
            raise BadInput(f"{path}: no .jsonl file in this folder")
        files += found
    return list({file.resolve(): file for file in files}.values())


def _check_same(first: Header, other: Header, path: Path) -> None:
    """One verdict is about one thing."""
    ours = (first.target, first.mutant)
    theirs = (other.target, other.mutant)
    if ours != theirs:
        raise BadInput(
            f"{path}: is about {'/'.join(filter(None, theirs))}, the first history "
            f"about {'/'.join(filter(None, ours))}; judge them one by one"
        )


def judged(path: Path, history: History) -> CaseResult:
    """A stored history as the case that it was."""
    records = history.records
    return case_result(
        judge_history(history),
        history.header.requirements,
        REQUIREMENTS,
        title=history.header.title or history.header.scenario,
        history=str(path.absolute()),
        duration_s=records[-1].t_s if records else 0.0,
        mutant=history.header.mutant,
        profile=history.header.profile,
    )


def _facts(headers: Sequence[Header]) -> RunFacts:
    header = headers[0]
    return RunFacts(
        target=header.target,
        profiles={one.profile: one.limits for one in headers},
        tolerances=header.tolerances,
        arm=header.arm,
        seed=header.seed,
        mutant=header.mutant,
        versions=header.versions,
        started_at=header.started_at,
        command=repeated(),
    )
