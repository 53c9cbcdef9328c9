"""Seconds to pixels: linear, but for long quiet stretches, which are cut short.

A case is busy for a second and then waits for half a minute; on one linear axis its
story would be a smear. What is cut short is marked on the axis with its true length.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

WIDTH = 1180.0
LEFT = 112.0
RIGHT = 34.0

_CELLS = 200
"""Times are judged quiet or busy in so many cells of the span."""

_QUIET_CELLS = 6
_QUIET_TIMES_MEDIAN = 8
_WORTH_IT = 0.3
_TICK_ROOM = 52.0


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch that is drawn shorter than it was."""

    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Scale:
    """`times` and `places` are the corners of a rising, piecewise linear line."""

    times: tuple[float, ...]
    places: tuple[float, ...]
    quiet: tuple[Quiet, ...] = ()

    @property
    def span_s(self) -> float:
        """The last time that has a place of its own."""
        return self.times[-1]

    def x(self, t_s: float) -> float:
        """The place of a time, inside the plot whatever the time is."""
        at = min(max(t_s, 0.0), self.span_s)
        piece = min(bisect_right(self.times, at), len(self.times) - 1)
        begin, end = self.times[piece - 1], self.times[piece]
        left, right = self.places[piece - 1], self.places[piece]
        return left + (right - left) * (at - begin) / (end - begin)

    def ticks(self) -> list[tuple[float, str]]:
        """About ten round times, none in a quiet stretch, with what decimals it takes.

        The step is that of the time which is drawn at full width.
        """
        cut_s = sum(one.until_s - one.from_s for one in self.quiet)
        step = _round_step((self.span_s - cut_s) / (20 if self.quiet else 10))
        decimals = next((d for d in range(5) if step * 10**d >= 0.999), 5)
        ticks: list[tuple[float, str]] = []
        last = -_TICK_ROOM
        for at in self._candidates(step):
            if self.x(at) - last >= _TICK_ROOM:
                ticks.append((at, f"{at:.{decimals}f} s"))
                last = self.x(at)
        return ticks

    def _candidates(self, step: float) -> list[float]:
        """Round times outside the quiet stretches, at most a few thousand."""
        count = min(int(self.span_s / step + 1e-9), 5_000)
        return [
            one * step
            for one in range(count + 1)
            if not any(q.from_s < one * step < q.until_s for q in self.quiet)
        ]


def scale_of(busy: Sequence[float], span_s: float) -> Scale:
    """A scale over `span_s`; `busy` are the times at which something happened."""
    span_s = max(span_s, 1e-3)
    quiet = _quiet(busy, span_s)
    room = WIDTH - LEFT - RIGHT
    short = span_s * _QUIET_CELLS / _CELLS / 2
    saved = sum(one.until_s - one.from_s - short for one in quiet)
    if saved < span_s * _WORTH_IT:
        return Scale((0.0, span_s), (LEFT, LEFT + room))
    pixels = room / (span_s - saved)
    times, places = [0.0], [LEFT]
    for one in quiet:
        if one.from_s > times[-1]:
            places.append(places[-1] + (one.from_s - times[-1]) * pixels)
            times.append(one.from_s)
        times.append(one.until_s)
        places.append(places[-1] + short * pixels)
    if times[-1] < span_s:
        times.append(span_s)
        places.append(LEFT + room)
    return Scale(tuple(times), tuple(places), tuple(quiet))


def _quiet(busy: Sequence[float], span_s: float) -> list[Quiet]:
    """Stretches far longer than usual between two busy cells."""
    cell_s = span_s / _CELLS
    inside = {min(max(int(t_s / cell_s), 0), _CELLS - 1) for t_s in busy}
    cells = sorted(inside | {0, _CELLS - 1})
    gaps = [after - before for before, after in pairwise(cells)]
    least = max(_QUIET_CELLS, _QUIET_TIMES_MEDIAN * median(gaps))
    return [
        Quiet((before + 1) * cell_s, after * cell_s)
        for before, after in pairwise(cells)
        if after - before > least
    ]


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 1e-5
    while power * 10 <= raw:
        power *= 10
    return next((power * one for one in (1, 2, 5) if power * one >= raw), power * 10)
