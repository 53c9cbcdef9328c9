"""`unbroken replay`: a case that a hunt has found, once more, on either arm."""

import datetime
import time
from pathlib import Path

import msgspec
from rich.console import Console

from harness.arms import make_arm, versions_of
from harness.case import versions
from harness.chaos.story import story
from harness.chaos.trial import Trials
from harness.commands.folder import clear, prepare
from harness.commands.listed import mutant_of
from harness.commands.outcome import write_reports
from harness.commands.run import repeated
from harness.core.schedule import Schedule, load_case, narrowed
from harness.core.target import Target, load_target
from harness.judged import HISTORIES, LOGS
from harness.options import check_arm, find_target
from reports.fold import case_result, fold_run
from reports.result import CaseResult, RunFacts
from reports.terminal import closing
from scenarios.requirements import REQUIREMENTS


def replay(
    *,
    case: Path,
    target: str | None,
    arm: str,
    app: str | None,
    clean: bool,
    out: Path,
    verbose: bool,
) -> int:
    """Run the case and judge it; gives the exit status."""
    schedule = load_case(case)
    if clean:
        schedule = msgspec.structs.replace(schedule, mutant="")
    loaded = load_target(find_target(target or schedule.target), app=app or "")
    check_arm(loaded, arm)
    narrowed(loaded, schedule)
    mutant_of(loaded, schedule.mutant)
    prepare(out)
    clear(out)
    console = Console()
    for line in story(schedule):
        console.print(line, markup=False, highlight=False)
    console.print()
    began, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    result = _run(schedule, loaded, arm, out, title=case.name)
    facts = RunFacts(
        target=loaded.name,
        profiles={schedule.profile: loaded.profiles[schedule.profile].limits},
        tolerances=loaded.tolerances,
        arm=arm,
        seed=schedule.seed,
        mutant=schedule.mutant,
        versions={**versions(), **versions_of(arm)},
        started_at=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - began, 1),
        command=repeated(),
    )
    run = fold_run(facts, [result], REQUIREMENTS)
    report = write_reports(run, out)
    closing(run, console, report=str(report), verbose=verbose)
    return run.exit_status


def _run(
    schedule: Schedule, target: Target, arm: str, out: Path, *, title: str
) -> CaseResult:
    history = f"{HISTORIES}/{Path(title).stem}.jsonl"
    trials = Trials(target=target, arm=make_arm(arm, out / LOGS), folder=out / LOGS)
    try:
        trial = trials.run(schedule, path=out / history)
    finally:
        trials.close()
    return case_result(
        trial.judgement,
        (),
        REQUIREMENTS,
        title=title,
        history=history,
        duration_s=round(trial.virtual_s, 3),
        mutant=schedule.mutant,
        profile=schedule.profile,
    )
