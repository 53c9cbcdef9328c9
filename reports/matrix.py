"""Mutants against requirements: which deliberate bug was caught, and by what."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.inert import one_line


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    CAUGHT_BY_ANOTHER = "caught only by another"
    NOT_APPLICABLE = "not applicable"


class MutantRow(msgspec.Struct, frozen=True, kw_only=True):
    """One mutant: `requirement` must catch it, `caught_by` is what failed on it.

    `verdict` is what the run said in words ("does not conform"). `applicable` is false
    when every scenario that could catch it needs what this arm or target has not.
    """

    mutant: str
    requirement: str
    caught: bool
    caught_by: tuple[str, ...] = ()
    verdict: str = ""
    applicable: bool = True

    @property
    def fate(self) -> Fate:
        """A mutant counts as killed only by the requirement that it breaks."""
        if self.caught:
            return Fate.KILLED
        if not self.applicable:
            return Fate.NOT_APPLICABLE
        return Fate.CAUGHT_BY_ANOTHER if self.caught_by else Fate.SURVIVED


_STYLE = {
    Fate.KILLED: "green",
    Fate.SURVIVED: "bold red",
    Fate.CAUGHT_BY_ANOTHER: "yellow",
    Fate.NOT_APPLICABLE: "dim",
}

_SHORT = {
    Fate.KILLED: "killed",
    Fate.SURVIVED: "survived",
    Fate.CAUGHT_BY_ANOTHER: "by another",
    Fate.NOT_APPLICABLE: "n/a",
}


SPARED = (Fate.KILLED, Fate.NOT_APPLICABLE)
"""These are not held against the scenarios."""


def matrix(rows: Iterable[MutantRow], console: Console) -> None:
    """Print the table, then what was not killed, then the counts as last line."""
    kept = list(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mutant", overflow="fold")
    table.add_column("must be caught by", overflow="fold", min_width=29)
    table.add_column("fate", no_wrap=True)
    for row in kept:
        table.add_row(
            Text(one_line(row.mutant)),
            Text(one_line(row.requirement)),
            Text(_SHORT[row.fate], style=_STYLE[row.fate]),
        )
    console.print(table)
    for row in kept:
        if row.fate not in SPARED:
            line = Text(f"{one_line(row.mutant)}: ")
            line.append(row.fate.value, style=_STYLE[row.fate])
            console.print(line.append(_others(row)), soft_wrap=True)
    console.print(Text(counts_of(kept), style="bold"), soft_wrap=True)


def counts_of(rows: Iterable[MutantRow]) -> str:
    """ "31 mutants: 29 killed, 1 survived, 1 caught only by another"."""
    fates = Counter(row.fate for row in rows)
    total = sum(fates.values())
    noun = "mutant" if total == 1 else "mutants"
    shown = [fate for fate in Fate if fates[fate] or fate is not Fate.NOT_APPLICABLE]
    told = ", ".join(f"{fates[fate]} {fate.value}" for fate in shown)
    return f"{total} {noun}: {told}"


def _others(row: MutantRow) -> str:
    """What else is known of a mutant that was not killed."""
    others = [slug for slug in row.caught_by if slug != row.requirement]
    told = f": {', '.join(others)}" if others else f": {row.requirement} saw nothing"
    return one_line(told + (f" ({row.verdict})" if row.verdict else ""))
