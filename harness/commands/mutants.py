"""`unbroken mutants`: is every deliberate bug caught, by the requirement it breaks?"""

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console

from harness.chaos.draw import NEVER_DRAWN
from harness.commands.choice import Choice, listening
from harness.commands.engine import option, ordered
from harness.commands.hunted import hunted
from harness.commands.listed import listed_mutants
from harness.core.errors import BadInput
from harness.judged import failed_of
from harness.options import Mutant, matches
from reports.result import CaseResult, Outcome
from reports.terminal import SPARED, MutantRow, matrix
from scenarios.requirements import REQUIREMENTS

BLAMED = (Outcome.FAILED, Outcome.WARNING)


def mutants(*, chaos_runs: int | None, every: bool, **options: Any) -> int:
    """Run each against the scenarios of its requirement; gives the exit status."""
    if chaos_runs is not None and every:
        raise BadInput("--all is of scenarios, and with --chaos none is run")
    choice = Choice.of(**options)
    listed = listed_mutants(choice.target, choice.profiles[0])
    wanted = [one for one in listed if _is_wanted(one, choice)]
    if chaos_runs is not None:
        wanted = [one for one in wanted if _is_drawn(one)]
    if not wanted:
        raise BadInput(
            f"no mutant of {choice.target.name!r} fits {choice.requirement!r}"
        )
    if chaos_runs is not None:
        return hunted(choice, wanted, chaos_runs)
    listing = choice.out / "mutants.ndjson"
    listing.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in wanted))
    console = Console()
    listener, progress = listening(console)
    try:
        told = option("mutants", listing), option("every", "yes" if every else "")
        choice.carry_out(listener, *told)
    finally:
        progress.stop()
    return _tell(ordered(listener.cases), wanted, len(listed) - len(wanted), console)


def _is_wanted(mutant: Mutant, choice: Choice) -> bool:
    known = REQUIREMENTS.get(mutant.requirement)
    if known is None or mutant.profile not in known.profiles:
        return False
    if mutant.profile not in choice.profiles:
        return False
    return not choice.requirement or matches(choice.requirement, [mutant.requirement])


def _is_drawn(mutant: Mutant) -> bool:
    return not any(matches(one, [mutant.requirement]) for one in NEVER_DRAWN)


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
        why = "".join(f"; {reason}" for reason in case.reasons[:1])
        console.print(f"  {case.scenario}: {case.outcome}{why}", markup=False)
    if blamed or not all(row.fate in SPARED for row in rows):
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
        applicable=not cases
        or any(one.outcome is not Outcome.NOT_APPLICABLE for one in cases),
    )
