"""In which order cases are given to workers that run them at once."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

T = TypeVar("T")

EARLY = 0.75
"""By this share of its quick cases a worker has begun its slow ones."""


def deal(cases: Sequence[T], workers: int, waits_s: Callable[[T], float]) -> list[T]:
    """Slow cases spread, and none at the end, for workers given equal stretches.

    Begun last, one keeps its worker busy when the others have nothing left to do;
    begun all at once, nobody works while they wait. `waits_s` tells how long a case
    mostly waits, 0 for a quick one. The same in every process that deals.
    """
    slow = sorted((one for one in cases if waits_s(one)), key=waits_s, reverse=True)
    quick = [one for one in cases if not waits_s(one)]
    if workers == 1 or not slow:
        return list(cases)
    return [
        one
        for number in range(workers)
        for one in _spread(
            slow[number::workers], quick[number::workers], number / workers
        )
    ]


def _spread(slow: Sequence[T], quick: Sequence[T], later: float) -> list[T]:
    """A worker's cases; its slow ones begin so much of their distance `later`."""
    places = [(EARLY * (n + later) / len(slow), one) for n, one in enumerate(slow)]
    places += [(n / len(quick), one) for n, one in enumerate(quick)]
    return [one for _, one in sorted(places, key=itemgetter(0))]
