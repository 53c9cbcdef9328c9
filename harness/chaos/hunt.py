"""Looks for a schedule that breaks a requirement, and shrinks it: hypothesis does both.

The first finding decides what is looked for from then on, so that shrinking cannot
slip from one bug to another.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.strategies import SearchStrategy

from harness.chaos.dice import DICE
from harness.chaos.trial import Trial
from harness.core.schedule import Schedule

SHRINK_S = 120.0
"""How long a find may be made smaller, in real time."""

Attempt = Callable[[Schedule], Trial]
Wanted = Callable[[Trial], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A requirement that was broken, after so many runs; the smallest trial known."""

    requirement: str
    trial: Trial
    runs: int


class _Found(Exception):
    """Tells hypothesis that a schedule is interesting."""


class Hunter:
    """One search; `wanted` names the requirement for which a trial counts, or "".

    `requirement` is the one that was found, while the find is being shrunk and after;
    `runs` counts the trials before that. Once `enough` says so, or after `SHRINK_S`
    seconds, the find is small enough.
    """

    def __init__(
        self, attempt: Attempt, wanted: Wanted, *, enough: Callable[[], bool]
    ) -> None:
        self.runs = 0
        self.requirement = ""
        self._attempt = attempt
        self._wanted = wanted
        self._enough = enough
        self._until_s = 0.0
        self._best: Trial | None = None

    def hunt(
        self,
        strategy: SearchStrategy[Schedule],
        *,
        seed: int,
        runs: int,
        shrink: bool = True,
    ) -> Find | None:
        """Try so many schedules; the first that counts is shrunk and given back."""
        phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

        @hypothesis.seed(seed)
        @hypothesis.settings(
            backend=DICE,
            max_examples=runs,
            phases=phases,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(strategy)
        def search(schedule: Schedule) -> None:
            known = self._best is not None and self._best.schedule == schedule
            if known or (self._best is not None and self._is_enough()):
                self._repeat(schedule)
            else:
                self._look_at(self._attempt(schedule))

        try:
            search()
        except _Found:
            assert self._best is not None
            return Find(requirement=self.requirement, trial=self._best, runs=self.runs)
        return None

    def _look_at(self, trial: Trial) -> None:
        if not self.requirement:
            self.runs += 1
            self.requirement = self._wanted(trial)
            self._until_s = time.monotonic() + SHRINK_S
        broken = {finding.requirement for finding in trial.broken}
        if self.requirement in broken:
            self._best = trial
            raise _Found

    def _is_enough(self) -> bool:
        return self._enough() or time.monotonic() > self._until_s

    def _repeat(self, schedule: Schedule) -> None:
        """Of all that hypothesis still tries, only what it knows already counts."""
        assert self._best is not None
        if schedule == self._best.schedule:
            raise _Found
