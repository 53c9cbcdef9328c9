"""`unbroken run`: the scenarios against one target, a verdict, and a report."""

import datetime
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.arms import versions_of
from harness.case import versions
from harness.commands.choice import Choice, listening
from harness.commands.engine import NIGHTLY, Listener, ordered
from harness.commands.outcome import write_reports
from harness.commands.twice import check_repeatable, hashed_by, repeat
from harness.judged import HISTORIES
from reports.fold import fold_run
from reports.result import RunFacts
from reports.terminal import closing
from scenarios.requirements import REQUIREMENTS


def run(*, verbose: bool, twice: bool, nightly: bool, **options: Any) -> int:
    """Run and judge; gives the exit status."""
    choice = Choice.of(**options)
    if twice:
        check_repeatable(choice.arm)
    console, chosen = Console(), [NIGHTLY] if nightly else []
    listener, progress = listening(console)
    began, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    try:
        with hashed_by(1) if twice else nullcontext():
            choice.carry_out(
                listener, *chosen, f"--junitxml={choice.out / 'junit.xml'}"
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(listener, choice.out)) from None
    finally:
        progress.stop()
    facts = RunFacts(
        target=choice.target.name,
        profiles={
            name: choice.target.profiles[name].limits for name in choice.profiles
        },
        tolerances=choice.target.tolerances,
        arm=choice.arm,
        seed=choice.seed,
        versions={**versions(), **versions_of(choice.arm)},
        started_at=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - began, 1),
        command=repeated(),
    )
    result = fold_run(facts, ordered(listener.cases), REQUIREMENTS)
    report = write_reports(result, options["out"])
    closing(result, console, report=str(report), verbose=verbose)
    if not twice:
        return result.exit_status
    return repeat(choice, console, *chosen) or result.exit_status


def _kept(listener: Listener, out: Path) -> str:
    """What an interrupted run leaves, and how to read it."""
    text = f"interrupted after {len(listener.cases)} cases"
    histories = out / HISTORIES
    return f"{text}; `unbroken judge {histories}` judges what they left"


def repeated() -> str:
    """What to type to do the same again."""
    return "unbroken " + shlex.join(sys.argv[1:])
