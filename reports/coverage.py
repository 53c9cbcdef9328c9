"""docs/requirements.md: the table of requirements, and what judges each."""

from collections.abc import Iterable, Mapping, Sequence

from harness.core.profile import Profile
from harness.core.requirement import Requirement

SHOWN = 6
"""So many scenarios of a requirement are named; the rest is counted."""

HEAD = """# Requirements, and what judges them

Written by `unbroken list --coverage --markdown`; a test fails when it is stale.

What the requirements mean is told in [protocol.md](protocol.md); a broken MUST fails a
target, a broken SHOULD warns. A scenario is named by its file and function and runs in
every profile that has what it judges; a mutant is a deliberate bug of the reference
server that this requirement must catch.
"""

Entry = tuple[Requirement, Mapping[str, Profile], Sequence[str], Sequence[str]]


def document(entries: Iterable[Entry]) -> str:
    """One section an area, in it one row for each requirement."""
    text, area = HEAD, ""
    for requirement, scenarios, mutants, arms in entries:
        own = requirement.id.split("/")[0]
        if own != area:
            area = own
            text += f"\n## {area}\n\n"
            text += "| requirement | asks for | scenarios | arms | mutants |\n"
            text += "|---|---|---|---|---|\n"
        text += _row(requirement, list(scenarios), mutants, arms)
    return text


def _row(
    requirement: Requirement,
    scenarios: Sequence[str],
    mutants: Sequence[str],
    arms: Sequence[str],
) -> str:
    whole = len(requirement.profiles) == len(Profile)
    profiles = "all" if whole else ", ".join(requirement.profiles)
    asks = f"{requirement.text} ({profiles}; source: {requirement.source})"
    cells = (
        f"`{requirement.id}` {requirement.level}",
        asks,
        _names([_short(name) for name in scenarios]),
        ", ".join(arms),
        _names(mutants),
    )
    return "| " + " | ".join(cells) + " |\n"


def _short(name: str) -> str:
    """test_cuts.py::test_flapping as cuts: flapping."""
    file, _, function = name.partition("::")
    area = file.removeprefix("test_").removesuffix(".py")
    return f"{area}: {function.removeprefix('test_')}"


def _names(names: Sequence[str]) -> str:
    told = [f"`{name}`" for name in names[:SHOWN]]
    if len(names) > SHOWN:
        told.append(f"{len(names) - SHOWN} more")
    return ", ".join(told) or "none"
