"""`unbroken run`: the scenarios against one target, a verdict, and a report."""

import datetime
import shlex
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from harness.case import versions
from harness.commands.engine import Listener, engine, option, ordered
from harness.commands.outcome import write_reports
from harness.core.errors import BadInput
from harness.core.history import FORMAT
from harness.core.target import Target, load_target
from harness.judged import HISTORIES, LOGS
from harness.live.arm import LiveArm
from harness.options import find_target, profile_of
from reports.fold import fold_run
from reports.result import RunFacts
from reports.terminal import LiveProgress, closing
from scenarios.requirements import REQUIREMENTS


def run(
    *,
    target: str,
    keyword: str | None,
    requirement: str | None,
    profile: str | None,
    arm: str,
    jobs: int,
    out: Path,
    seed: int,
    verbose: bool,
) -> int:
    """Run and judge; gives the exit status."""
    path = find_target(target)
    loaded = load_target(path)
    chosen = profile_of(loaded, profile or "")
    prepare(out)
    clear(out)
    console = Console()
    progress = LiveProgress(console)
    listener = Listener(progress)
    began, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    try:
        engine(
            listener,
            [
                option("target", path.absolute()),
                option("profile", chosen),
                option("arm", arm),
                option("out", out.absolute()),
                option("seed", seed),
                option("requirement", requirement or ""),
                f"--junitxml={out.absolute() / 'junit.xml'}",
            ],
            keyword=keyword,
            jobs=jobs_for(loaded, jobs),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(listener, out)) from None
    finally:
        progress.stop()
    facts = RunFacts(
        target=loaded.name,
        profile=chosen,
        limits=loaded.profiles[chosen].limits,
        tolerances=loaded.tolerances,
        arm=arm,
        seed=seed,
        versions=versions() | LiveArm.versions,
        started_at=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - began, 1),
        command=repeated(),
    )
    result = fold_run(facts, ordered(listener.cases), REQUIREMENTS)
    report = write_reports(result, out)
    closing(result, console, report=str(report), verbose=verbose)
    return result.exit_status


def _kept(listener: Listener, out: Path) -> str:
    """What an interrupted run leaves, and how to read it."""
    text = f"interrupted after {len(listener.cases)} cases"
    histories = out / HISTORIES
    return f"{text}; `unbroken judge {histories}` judges what they left"


def repeated() -> str:
    """What to type to do the same again."""
    return "unbroken " + shlex.join(sys.argv[1:])


def prepare(out: Path) -> None:
    """See that results can be written; raises `BadInput` when not."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cannot write to --out {str(out)!r}: {error.strerror}; choose another"
        ) from error


def clear(out: Path) -> None:
    """Forget the histories of the run before, so that those there are of this one.

    Only what a run has written goes, for the folder is the user's.
    """
    for history in (out / HISTORIES).glob("*.jsonl"):
        with history.open("rb") as file:
            ours = FORMAT.encode() in file.readline(200)
        if ours:
            history.unlink()
            shutil.rmtree(out / LOGS / history.stem, ignore_errors=True)


def jobs_for(target: Target, jobs: int) -> int:
    """A target that runs already is one server: its cases take turns."""
    return jobs if target.start is not None else 1
