"""Paired timings: ours and the baseline in turn, medians, and their ratio."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: seconds of ours and of the baseline (None where there is none)."""

    what: str
    ours_s: float
    baseline_s: float | None = None

    def row(self) -> str:
        """A line of the printed table."""
        if self.baseline_s is None:
            return f"{self.what:52} {_time(self.ours_s):>10}"
        ratio = self.ours_s / self.baseline_s
        return (
            f"{self.what:52} {_time(self.ours_s):>10} {_time(self.baseline_s):>10} "
            f"{ratio:7.2f}"
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One row that is no comparison: a figure and, it may be, its share of another."""

    what: str
    figure: str
    share: str = ""

    def row(self) -> str:
        """A line of the printed table."""
        return f"{self.what:52} {self.figure:>10} {self.share:>10}".rstrip()


Row = Measured | Figure


def paired(
    what: str, ours: Callable[[], object], baseline: Callable[[], object], *, runs: int
) -> Measured:
    """Time both in turn, after one run of each that does not count."""
    pairs = [(_timed(ours), _timed(baseline)) for _ in range(runs + 1)][1:]
    return Measured(
        what,
        statistics.median(one for one, _ in pairs),
        statistics.median(other for _, other in pairs),
    )


def _timed(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1_000:.1f} ms"
