"""What hypothesis draws with: every case afresh, and evenly.

By itself hypothesis spends five runs of six on variations of the one before, in search
of values that are equal by chance, and draws a twentieth of all numbers from constants
in the code of whatever is imported. Neither reaches a new edge, and the second would
make the cases of a seed depend on the process that draws them.
"""

from hypothesis.internal.conjecture.providers import (
    AVAILABLE_PROVIDERS,
    HypothesisProvider,
)

DICE = "unbroken-dice"
"""The name for `hypothesis.settings(backend=...)`."""


class Dice(HypothesisProvider):
    """Draws from the run's seeded generator; shrinking is hypothesis's own."""

    def draw_integer(
        self,
        min_value: int | None = None,
        max_value: int | None = None,
        *,
        weights: dict[int, float] | None = None,
        shrink_towards: int = 0,
    ) -> int:
        """A number between its bounds, which all of ours have."""
        del weights, shrink_towards
        assert self._random is not None
        assert min_value is not None
        assert max_value is not None
        return self._random.randint(min_value, max_value)


AVAILABLE_PROVIDERS[DICE] = Dice
