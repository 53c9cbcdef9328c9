"""Writes what a run leaves behind: result.json and the page made from it."""

from pathlib import Path

from harness.core.codec import load
from harness.core.errors import HarnessError
from harness.core.history import History
from reports.html import render
from reports.result import CaseResult, RunResult, save

RESULT, REPORT = "result.json", "report.html"


def write_reports(result: RunResult, out: Path) -> Path:
    """Save result and page to `out`; gives the page's path."""

    def load_history(case: CaseResult) -> History | None:
        return load(out / case.history) if case.history else None

    report = out / REPORT
    try:
        save(result, out / RESULT)
        report.write_text(
            render(result, load_history), encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise HarnessError(
            f"the report cannot be written to {out}: {error.strerror}; free some "
            "space or choose another folder with --out"
        ) from error
    return report
