"""The deliberate bugs that a target has, as it lists them itself."""

import difflib
import subprocess
import sys

from harness.core.errors import BadInput, CouldNotRun
from harness.core.target import Target, fill, placeholders
from harness.options import Mutant, read_mutants

LIST_S = 30


def listed_mutants(target: Target, profile: str) -> list[Mutant]:
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


def mutant_of(target: Target, name: str) -> Mutant | None:
    """The mutant of this name as it is listed; "" is none.

    Raises `BadInput` unless the target, as it is run, has it. An application without a
    command to list its mutants is taken at its word: None, too.
    """
    if not name or (target.start is None and target.app and target.app.mutant):
        return None
    first = next(iter(target.profiles))
    known = {one.name: one for one in listed_mutants(target, first)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadInput(
            f"target {target.name!r} has no mutant {name!r}{hint}; `unbroken mutants` "
            "shows all"
        )
    return known[name]


def profiles_with(
    target: Target, profiles: tuple[str, ...], name: str
) -> tuple[str, ...]:
    """Those of the profiles in which this mutant is to be seen; of "" all.

    Raises `BadInput` as `mutant_of` does, and when it is to be seen in none of them.
    """
    mutant = mutant_of(target, name)
    if mutant is None or mutant.profile not in target.profiles:
        return profiles
    if mutant.profile not in profiles:
        raise BadInput(
            f"mutant {name!r} is of profile {mutant.profile!r}, not of "
            f"{', '.join(profiles)}"
        )
    return (mutant.profile,)
