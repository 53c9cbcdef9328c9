"""`unbroken list --coverage`: requirements against scenarios, arms and mutants."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.table import Table

from harness.arms import ARMS
from harness.commands.engine import Listener, engine
from harness.commands.listed import listed_mutants
from harness.core.profile import Profile
from harness.core.requirement import Level, Requirement
from harness.core.target import load_target
from harness.options import Mutant, find_target
from reports.coverage import document
from scenarios.requirements import REQUIREMENTS, profiles_of

REFERENCE = "reference"


@dataclass(slots=True)
class Row:
    """One requirement: scenarios and mutants by profile, and the arms they run on."""

    requirement: Requirement
    scenarios: dict[Profile, dict[str, None]] = field(default_factory=dict)
    mutants: dict[Profile, list[str]] = field(default_factory=dict)
    arms: dict[str, None] = field(default_factory=dict)

    def holes(self) -> Iterator[str]:
        """What is missing: a scenario in some profile, a mutant of a MUST in all."""
        for profile in self.requirement.profiles:
            if not self.scenarios.get(profile):
                yield f"{self.requirement.id} has no scenario in profile {profile!s}"
        if self.requirement.level is Level.MUST and not any(self.mutants.values()):
            yield f"{self.requirement.id} is a MUST and has no mutant"


def coverage(*, markdown: bool) -> int:
    """Print the matrix or the document; gives the exit status, 1 with a hole in it."""
    rows = gathered()
    if markdown:
        print(document_of(rows), end="")  # noqa: T201 - a file's text, as it is
    else:
        _show(rows, Console())
    return 1 if any(hole for row in rows for hole in row.holes()) else 0


def gathered() -> list[Row]:
    """The rows of the table, filled by collecting scenarios and asking for mutants."""
    rows = {slug: Row(one) for slug, one in REQUIREMENTS.items()}
    listener = Listener()
    engine(listener, ["--collect-only"], keyword=None, jobs=1, apart=False)
    for item in listener.collected:
        _note_scenario(rows, item)
    target = load_target(find_target(REFERENCE))
    for mutant in listed_mutants(target, next(iter(target.profiles))):
        _note_mutant(rows, mutant)
    return list(rows.values())


def _note_scenario(rows: Mapping[str, Row], item: pytest.Item) -> None:
    assert isinstance(item, pytest.Function)
    mark = item.get_closest_marker("judges")
    profile = Profile(str(item.callspec.params["profile"]))
    assert mark is not None
    for slug in mark.args:
        if profile in rows[slug].requirement.profiles:
            rows[slug].scenarios.setdefault(profile, {})[_name(item)] = None
            rows[slug].arms |= dict.fromkeys(mark.kwargs["arms"])


def _name(item: pytest.Function) -> str:
    return f"{item.path.name}::{item.originalname}"


def _note_mutant(rows: Mapping[str, Row], mutant: Mutant) -> None:
    row = rows.get(mutant.requirement)
    if row is not None and mutant.profile in profiles_of([mutant.requirement]):
        row.mutants.setdefault(Profile(mutant.profile), []).append(mutant.name)


def _show(rows: Sequence[Row], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", overflow="fold", min_width=29)
    for title in ("level", *Profile, "only on"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        cells = [_cell(row, profile) for profile in Profile]
        arms = "" if set(row.arms) == set(ARMS) else ", ".join(row.arms)
        table.add_row(row.requirement.id, str(row.requirement.level), *cells, arms)
    console.print(table)
    told = "each cell: scenarios x mutants; on both arms where none is named"
    console.print(told, style="dim", highlight=False)
    for hole in (hole for row in rows for hole in row.holes()):
        console.print(hole, style="bold red", markup=False)


def _cell(row: Row, profile: Profile) -> str:
    if profile not in row.requirement.profiles:
        return ""
    scenarios, mutants = row.scenarios.get(profile, {}), row.mutants.get(profile, [])
    return f"{len(scenarios)} x {len(mutants)}"


def document_of(rows: Sequence[Row]) -> str:
    """docs/requirements.md."""
    return document(
        (
            row.requirement,
            {
                name: profile
                for profile, names in row.scenarios.items()
                for name in names
            },
            [name for names in row.mutants.values() for name in names],
            list(row.arms),
        )
        for row in rows
    )
