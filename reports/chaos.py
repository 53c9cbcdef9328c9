"""What a hunt prints: progress, coverage, and each find as a story."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reports.inert import one_line

EVERY_S = 5.0
"""Without a terminal one line of progress is printed as often as this."""


class ChaosProgress:
    """One line that changes on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_s = 0.0
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, transient=True)
            self._live.start()

    def show(self, line: str, at_s: float) -> None:
        """Show where the hunt is, `at_s` seconds after it began."""
        if self._live is not None:
            self._live.update(Text(line))
        elif at_s - self._told_s >= EVERY_S:
            self._told_s = at_s
            self._console.print(line, markup=False, highlight=False)

    def stop(self) -> None:
        """The line goes, what was printed stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def edge_table(
    meanings: Mapping[str, str],
    seen: Mapping[str, int],
    first_run: Mapping[str, int],
    console: Console,
) -> None:
    """In how many runs each edge was reached, and in which one first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("edge", no_wrap=True)
    table.add_column("runs", justify="right")
    table.add_column("first", justify="right")
    table.add_column("what", style="dim", overflow="fold")
    for edge, meaning in meanings.items():
        runs = seen.get(edge, 0)
        style = "" if runs else "bold yellow"
        first = str(first_run.get(edge, "never"))
        table.add_row(Text(edge, style=style), str(runs), first, meaning)
    console.print(table)


def coverage_table(
    faults: Sequence[str],
    phases: Sequence[str],
    covered: Mapping[tuple[str, str], set[str]],
    console: Console,
) -> None:
    """Fault by phase: on how many requirements runs with that pair had a verdict."""
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        title="requirements with a verdict, by fault and what it met",
        title_justify="left",
    )
    table.add_column("fault", no_wrap=True)
    for phase in phases:
        narrow = "\n".join(phase.rsplit(" ", 1))
        table.add_column(narrow, justify="right", no_wrap=True)
    for fault in faults:
        cells = [len(covered.get((fault, phase), ())) for phase in phases]
        table.add_row(fault, *(str(cell) if cell else "·" for cell in cells))
    console.print(table)


def find_story(
    requirement: str, story: Sequence[str], after: str, console: Console
) -> None:
    """One find: what is broken, and the shortest story that breaks it."""
    head = Text("FOUND  ", style="bold red").append(requirement, style="bold")
    console.print(head.append(f"  {after}", style="dim"), soft_wrap=True)
    for line in story:
        console.print(Text(f"  {one_line(line)}"), soft_wrap=True)


class HuntedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant that was hunted: killed after `runs`, or not at all in `tried`."""

    mutant: str
    requirement: str
    runs: int | None
    tried: int


def hunted_matrix(rows: Iterable[HuntedRow], console: Console) -> None:
    """Print how many random schedules each mutant took."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mutant", overflow="fold")
    table.add_column("must be caught by", overflow="fold", min_width=29)
    table.add_column("runs", justify="right")
    for row in rows:
        alive = Text(f"alive after {row.tried}", style="bold red")
        runs = Text(str(row.runs)) if row.runs is not None else alive
        table.add_row(Text(one_line(row.mutant)), Text(row.requirement), runs)
    console.print(table)
