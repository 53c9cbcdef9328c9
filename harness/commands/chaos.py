"""`unbroken chaos`: random schedules against one target until one breaks it."""

import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import msgspec
from rich.console import Console

from harness.chaos.edges import edges_for
from harness.chaos.phases import Phase
from harness.chaos.pool import Pool
from harness.chaos.story import story
from harness.chaos.tally import Tally
from harness.chaos.worker import Caught, Ended, Errand, Report, Sighted, Tried
from harness.commands.folder import clear, prepare
from harness.commands.listed import profiles_with
from harness.commands.twice import check_repeatable, hashed_by, tell_differences
from harness.core.errors import BadInput, CouldNotRun
from harness.core.fault import OF_STORAGE, REPLACING, FaultKind
from harness.core.requirement import Level
from harness.core.schedule import case_name, encode_case
from harness.core.target import load_target
from harness.judged import HISTORIES
from harness.options import check_arm, find_target, profiles_of
from reports.chaos import ChaosProgress, coverage_table, edge_table, find_story
from scenarios.requirements import REQUIREMENTS

HOPELESS = 20
"""So many runs, none of which could be carried out, and the hunt is over."""

MUSTS = tuple(s for s, one in REQUIREMENTS.items() if one.level is Level.MUST)


def chaos(
    *,
    target: str,
    profile: str | None,
    arm: str,
    app: str | None,
    mutant: str,
    runs: int | None,
    time_s: float | None,
    jobs: int,
    seed: int,
    out: Path,
    keep_going: bool,
    twice: bool,
    verbose: bool,
) -> int:
    """Hunt; gives the exit status."""
    path = find_target(target)
    loaded = load_target(path, app=app or "")
    if loaded.url:
        raise BadInput(
            f"target {loaded.name!r} runs already; chaos starts and ends its target, "
            "so give it [start] or [app]"
        )
    check_arm(loaded, arm)
    profiles = profiles_with(loaded, profiles_of(loaded, profile or ""), mutant)
    if twice:
        check_repeatable(arm)
    prepare(out)
    _clear(out)
    jobs = min(jobs, runs or jobs)
    errand = Errand(
        target=loaded,
        profiles=profiles,
        arm=arm,
        mutant=mutant,
        seed=seed,
        out=str(out.absolute()),
        runs=runs or 0,
        musts=MUSTS,
        step=jobs,
        keep=twice,
        shrink=not twice,
        going_on=keep_going or twice,
    )
    errands = [msgspec.structs.replace(errand, first=n) for n in range(jobs)]
    edges, stops = edges_for(profiles), not errand.going_on
    given = {
        "--target": target if target != loaded.name else None,
        "--arm": arm if arm != "sim" else None,
        "--app": app,
    }
    again = [each for name, value in given.items() if value for each in (name, value)]
    hunt = Hunt(out, Console(), edges=edges, within_s=time_s, stops=stops, again=again)
    with hashed_by(1) if twice else nullcontext():
        hunt.carry_out(errands)
    status = hunt.tell(verbose=verbose)
    return (_again(errands, out) if twice else 0) or status


class Hunt:
    """One hunt from its errands to its closing report."""

    def __init__(
        self,
        out: Path,
        console: Console,
        *,
        edges: Mapping[str, str],
        within_s: float | None,
        stops: bool,
        again: Sequence[str] = (),
    ) -> None:
        self.tally = Tally()
        self._edges = edges
        self.finds: list[Caught] = []
        self._out = out
        self._console = console
        self._within_s = within_s
        self._stops = stops
        self._again = again
        self._began_s = time.monotonic()
        self._took_s = 0.0
        self._shrinking: set[int] = set()

    def carry_out(self, errands: list[Errand]) -> None:
        """Hunt until the runs are done, the time is up, or a find is small."""
        progress = ChaosProgress(self._console)
        self._began_s = time.monotonic()
        try:
            with Pool(errands, jobs=len(errands)) as pool:
                for report in pool.reports():
                    if report is not None and self._is_last(report, pool):
                        break
                    self._end_in_time(pool)
                    progress.show(self._line(), self._elapsed())
        finally:
            self._took_s = self._elapsed()
            progress.stop()
        if self._shrinking and not self.finds:
            raise CouldNotRun("a find was lost: the worker that made it small has died")

    def tell(self, *, verbose: bool) -> int:
        """Print what was found; the exit status."""
        tally = self.tally
        if tally.edges and (verbose or not self.finds):
            edge_table(self._edges, tally.edges, tally.first_run, self._console)
            self._console.print()
            # No schedule has faults of the storage, or a middlebox.
            never = (*OF_STORAGE, *REPLACING)
            faults = [str(one) for one in FaultKind if one not in never]
            coverage_table(faults, list(Phase), tally.covered, self._console)
        for find in self.finds:
            self._tell_find(find)
        for slug, count in tally.warned.items():
            self._console.print(f"warning: {slug} in {count} runs")
        for reason, count in tally.reasons.most_common(3):
            line = f"could not run ({count}): {reason}"
            self._console.print(line, markup=False, highlight=False)
        self._console.print(self._line(), style="bold", markup=False, highlight=False)
        if self.finds:
            return 1
        return 3 if tally.not_run == tally.runs else 0

    def _is_last(self, report: Report, pool: Pool) -> bool:
        match report.what:
            case Tried() as trial:
                self.tally.add(trial)
            case Sighted() if self._is_followed(report.worker):
                self._shrinking.add(report.worker)
                pool.keep(report.worker)
                if self._stops:
                    pool.end_all_but(self._shrinking)
            case Caught() as find if self._is_followed(report.worker):
                self._shrinking.discard(report.worker)
                self._keep(find)
                return self._stops
            case Ended(error=error) if error:
                raise CouldNotRun(error)
        return False

    def _is_followed(self, worker: int) -> bool:
        """Every worker is; a hunt that stops at its first find follows only that."""
        return not self._stops or self._shrinking <= {worker}

    def _end_in_time(self, pool: Pool) -> None:
        """When the time is up, or nothing can be run: finds are made small first."""
        tally = self.tally
        if tally.runs >= HOPELESS and tally.not_run == tally.runs:
            pool.end_all_but(())
        if self._within_s is not None and self._elapsed() > self._within_s:
            pool.end_all_but(self._shrinking)

    def _keep(self, find: Caught) -> None:
        """Keep the first find of each requirement, and of each schedule."""
        name = case_name(find.schedule)
        for known in self.finds:
            same = known.found.requirement == find.found.requirement
            if same or case_name(known.schedule) == name:
                return
        self.finds.append(find)
        (self._out / name).write_bytes(encode_case(find.schedule))

    def _tell_find(self, find: Caught) -> None:
        name = case_name(find.schedule)
        after = f"after {find.runs} runs"
        lines = story(find.schedule)
        if find.also:
            lines.append(f"It breaks also {', '.join(find.also)}.")
        find_story(find.found.requirement, lines, after, self._console)
        if not find.again:
            self._console.print("  run once more, it was not seen again")
        command = shlex.join(["replay", str(self._out / name), *self._again])
        self._console.print(f"  unbroken {command}", markup=False, soft_wrap=True)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began_s

    def _line(self) -> str:
        tally = self.tally
        took_s = self._took_s or self._elapsed()
        parts = [
            f"{tally.runs} runs",
            f"{tally.runs / max(took_s, 0.001):.1f} runs/s",
            f"{tally.virtual_s / max(took_s, 0.001):.0f} x real time",
            f"{len(tally.edges)} of {len(self._edges)} edges",
            f"{len(tally.covered)} faults x phases",
            f"{len(self.finds)} found",
        ]
        if tally.not_run:
            parts.append(f"{tally.not_run} could not run")
        if tally.shrinks:
            parts.append(f"{tally.shrinks} to shrink")
        if self._shrinking:
            parts.append("shrinking a find")
        return ", ".join(parts) + f"; {took_s:.1f} s"


def _again(errands: list[Errand], out: Path) -> int:
    """The same runs in processes with another hash seed, compared."""
    again = out / "twice"
    prepare(again)
    _clear(again)
    other = Hunt(again, Console(quiet=True), edges={}, within_s=None, stops=False)
    there = str(again.absolute())
    with hashed_by(2):
        other.carry_out([msgspec.structs.replace(e, out=there) for e in errands])
    names = sorted(path.name for path in (out / HISTORIES).glob("*.jsonl"))
    pairs = [(out / HISTORIES / n, again / HISTORIES / n) for n in names]
    return tell_differences(pairs, Console())


def _clear(out: Path) -> None:
    """Forget the hunt before; the cases that it found stay."""
    clear(out)
    for name in ("caught", "workers"):
        shutil.rmtree(out / name, ignore_errors=True)
