"""`unbroken mutants --chaos RUNS`: random schedules alone against every mutant."""

import time
from collections.abc import Sequence

from rich.console import Console

from harness.chaos.pool import Pool
from harness.chaos.worker import Caught, Ended, Errand, Report, Tried
from harness.commands.choice import Choice
from harness.commands.folder import clear
from harness.core.errors import BadInput, CouldNotRun
from harness.options import Mutant
from reports.chaos import ChaosProgress, HuntedRow, hunted_matrix

SHARE_OF_KILLS = 0.9
"""So many of the mutants random schedules must kill; the rest is for scenarios."""


def hunted(choice: Choice, mutants: Sequence[Mutant], runs: int) -> int:
    """Hunt each by the requirement that it breaks; gives the exit status."""
    if choice.keyword:
        raise BadInput(f"-k {choice.keyword!r} selects scenarios, and --chaos has none")
    clear(choice.out)
    errands = [
        Errand(
            target=choice.target,
            profiles=(mutant.profile,),
            arm=choice.arm,
            mutant=mutant.name,
            seed=choice.seed,
            out=str(choice.out),
            runs=runs,
            musts=(),
            only=mutant.requirement,
            shrink=False,
        )
        for mutant in mutants
    ]
    gathering = _Gathering(mutants)
    console = Console()
    progress = ChaosProgress(console)
    began_s = time.monotonic()
    try:
        with Pool(errands, jobs=min(choice.jobs, len(errands))) as pool:
            for report in pool.reports():
                if report is not None:
                    gathering.take(report)
                elapsed_s = time.monotonic() - began_s
                progress.show(f"{gathering.line()}; {elapsed_s:.0f} s", elapsed_s)
    finally:
        progress.stop()
    rows = gathering.rows()
    hunted_matrix(rows, console)
    console.print(f"{gathering.line()}; {time.monotonic() - began_s:.1f} s")
    killed = sum(row.runs is not None for row in rows)
    return 0 if killed >= SHARE_OF_KILLS * len(rows) else 1


class _Gathering:
    """What has come of each mutant so far."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self._mutants = mutants
        self._killed: dict[str, int] = {}
        self._tried: dict[str, int] = {}
        self._ended = 0

    def take(self, report: Report) -> None:
        """Count one report."""
        match report.what:
            case Tried():
                self._tried[report.mutant] = self._tried.get(report.mutant, 0) + 1
            case Caught(runs=runs):
                self._killed[report.mutant] = runs
            case Ended(error=error):
                if error:
                    raise CouldNotRun(f"mutant {report.mutant!r}: {error}")
                self._ended += 1

    def line(self) -> str:
        """Where it stands."""
        runs = sum(self._tried.values())
        return (
            f"{self._ended} of {len(self._mutants)} mutants, "
            f"{len(self._killed)} killed by chaos alone, {runs} runs"
        )

    def rows(self) -> list[HuntedRow]:
        """The matrix."""
        return [
            HuntedRow(
                mutant=one.name,
                requirement=one.requirement,
                runs=self._killed.get(one.name),
                tried=self._tried.get(one.name, 0),
            )
            for one in self._mutants
        ]
