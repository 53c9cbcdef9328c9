"""`unbroken mutants`: is every deliberate bug caught, by the requirement it breaks?"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from harness.commands.engine import Listener, engine, option, ordered
from harness.commands.run import clear, jobs_for, prepare
from harness.core.errors import BadInput, CouldNotRun
from harness.core.target import Target, fill, load_target, placeholders
from harness.judged import CAUGHT, failed_of
from harness.options import Mutant, find_target, matches, profile_of, read_mutants
from reports.result import CaseResult, Outcome
from reports.terminal import LiveProgress, MutantRow, matrix
from scenarios.requirements import REQUIREMENTS

LIST_S = 30
BLAMED = (Outcome.FAILED, Outcome.WARNING)


def mutants(
    *,
    target: str,
    keyword: str | None,
    requirement: str | None,
    profile: str | None,
    arm: str,
    jobs: int,
    out: Path,
    seed: int,
) -> int:
    """Run each against the scenarios of its requirement; gives the exit status."""
    path = find_target(target)
    loaded = load_target(path)
    chosen = profile_of(loaded, profile or "")
    prepare(out)
    clear(out)
    shutil.rmtree(out / CAUGHT, ignore_errors=True)
    listed = _listed(loaded, chosen)
    wanted = [
        one
        for one in listed
        if one.requirement in REQUIREMENTS
        and (not requirement or matches(requirement, [one.requirement]))
    ]
    if not wanted:
        raise BadInput(f"no mutant of {loaded.name!r} fits {requirement!r}")
    listing = out / "mutants.ndjson"
    listing.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in wanted))
    console = Console()
    progress = LiveProgress(console)
    listener = Listener(progress)
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
                option("mutants", listing.absolute()),
            ],
            keyword=keyword,
            jobs=jobs_for(loaded, jobs),
        )
    finally:
        progress.stop()
    return _tell(ordered(listener.cases), wanted, len(listed) - len(wanted), console)


def _listed(target: Target, profile: str) -> list[Mutant]:
    """Ask the target for its mutants; raises `BadInput` when it has none."""
    start = target.start
    if start is None or not start.list_mutants or not start.mutant:
        raise BadInput(
            f"target {target.name!r} declares no mutants; give start.list_mutants "
            "and start.mutant in its file"
        )
    values = placeholders(target.profiles[profile].limits) | {"python": sys.executable}
    command = fill(start.list_mutants, values, name=target.name)
    try:
        done = subprocess.run(command, capture_output=True, timeout=LIST_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotRun(f"the mutants cannot be listed: {error}") from error
    return read_mutants(done.stdout, name=" ".join(command))


def _tell(
    cases: Sequence[CaseResult], wanted: Sequence[Mutant], left: int, console: Console
) -> int:
    rows = [_row(one, [c for c in cases if c.mutant == one.name]) for one in wanted]
    matrix(rows, console)
    if left:
        console.print(f"{left} mutants are of requirements not asked for or not judged")
    clean = [case for case in cases if not case.mutant]
    blamed = [case for case in clean if case.outcome in BLAMED]
    unsure = [case for case in clean if case.outcome is Outcome.COULD_NOT_RUN]
    console.print(
        f"clean server: {len(clean)} cases, {len(blamed)} blamed, "
        f"{len(unsure)} could not run"
    )
    for case in (*blamed, *unsure):
        console.print(f"  {case.scenario}: {case.outcome}", markup=False)
    if blamed or not all(row.caught for row in rows):
        return 1
    return 3 if unsure or not clean else 0


def _row(mutant: Mutant, cases: Sequence[CaseResult]) -> MutantRow:
    failures = (slug for case in cases for slug in failed_of(case))
    caught_by = tuple(dict.fromkeys(failures))
    return MutantRow(
        mutant=mutant.name,
        requirement=mutant.requirement,
        caught=mutant.requirement in caught_by,
        caught_by=caught_by,
        verdict=", ".join(dict.fromkeys(str(one.outcome) for one in cases)),
    )
