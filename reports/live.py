"""Progress while a run goes on: a live bar on a terminal, else one line a case."""

from collections import Counter

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from reports.closing import OUTCOME_STYLE
from reports.inert import one_line
from reports.result import CaseResult, Outcome

_NAMES_SHOWN = 2
_TOLD = (Outcome.FAILED, Outcome.COULD_NOT_RUN, Outcome.WARNING)


class LiveProgress:
    """Listens to a run and shows where it is; it never decides anything.

    A case may be done without having been started (another process ran it).
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: Counter[Outcome] = Counter()
        self._running: dict[str, None] = {}
        self._total = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def start(self, total: int) -> None:
        """The run begins with so many cases."""
        self._total = total
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task("", total=total, told="", running="")
            self._bar.start()

    def case_started(self, name: str) -> None:
        """A case is under way."""
        self._running[name] = None
        self._refresh()

    def case_done(self, case: CaseResult) -> None:
        """A case has come to its outcome."""
        self._running.pop(case.scenario, None)
        self._counts[case.outcome] += 1
        if self._bar is None or case.outcome in _TOLD:
            self._console.print(self._line(case), soft_wrap=True)
        self._refresh(advance=1)

    def stop(self) -> None:
        """The run has ended; the bar goes, what was printed stays."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, case: CaseResult) -> Text:
        number = sum(self._counts.values())
        width = len(str(self._total))
        line = Text(f"[{number:{width}}/{self._total}] ", style="dim")
        line.append(f"{case.outcome.value:<14}", style=OUTCOME_STYLE[case.outcome])
        return line.append(f" {one_line(case.scenario)} ({case.took})")

    def _refresh(self, advance: int = 0) -> None:
        if self._bar is None:
            return
        names = [one_line(name.rsplit("::", 1)[-1]) for name in self._running]
        more = len(names) - _NAMES_SHOWN
        shown = ", ".join(names[:_NAMES_SHOWN]) + (f" +{more}" if more > 0 else "")
        self._bar.update(self._task, advance=advance, told=self._told(), running=shown)

    def _told(self) -> str:
        counts = self._counts
        told = [f"{counts[Outcome.PASSED]} passed"]
        told += [f"{counts[one]} {one.value}" for one in _TOLD if counts[one]]
        return ", ".join(told)


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[running]}", markup=False, style="dim"),
        console=console,
        transient=True,
    )
