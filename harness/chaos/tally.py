"""What a hunt has seen so far: counts only, no verdict."""

from collections import Counter

from harness.chaos.worker import Tried


class Tally:
    """Sums of trials; `first_run` tells after how many runs an edge was first seen.

    `covered` holds, for each fault and phase that met, the requirements on which those
    runs had a verdict.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.shrinks = 0
        self.virtual_s = 0.0
        self.edges: Counter[str] = Counter()
        self.first_run: dict[str, int] = {}
        self.covered: dict[tuple[str, str], set[str]] = {}
        self.warned: Counter[str] = Counter()
        self.not_run = 0
        self.reasons: Counter[str] = Counter()

    def add(self, trial: Tried) -> None:
        """Count a trial; those that only shrink a find say nothing of the drawing."""
        if trial.shrinking:
            self.shrinks += 1
            return
        self.runs += 1
        self.virtual_s += trial.virtual_s
        self.warned.update(trial.warned)
        self.not_run += bool(trial.reasons)
        self.reasons.update(trial.reasons)
        for edge in trial.edges:
            self.edges[edge] += 1
            self.first_run.setdefault(edge, self.runs)
        for pair in trial.reached:
            self.covered.setdefault(pair, set()).update(trial.exercised)
