"""Where the arms differ all the same: what each one shows, and why it stays so.

A difference that is not here fails the test; so does one that has gone.
"""

from dataclasses import dataclass

from harness.chaos.phases import Phase
from tests.parity.faults import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`shows` is what `seen.diff` gives."""

    shows: str
    reason: str


LETS_THROUGH = (
    "toxiproxy lets the piece through that one toxic holds back when another is "
    "added; simulated, a stall holds back what a slow line still had to bring"
)

DIFFERENCES: dict[Cell, Difference] = {
    ("stall", Phase.INSIDE_A_FRAME): Difference(
        shows="live held_back: w3\nsim  held_back: w2, w3",
        reason=LETS_THROUGH,
    ),
    ("stall", Phase.REPLAY): Difference(
        shows="live held_back: w4\nsim  held_back: w3, w4",
        reason=LETS_THROUGH,
    ),
}

VERDICTS: dict[tuple[str, str], Difference] = {
    (
        "test_storage.py::test_slow_database[log-log-fifth-late]",
        "log-fifth-late",
    ): Difference(
        shows="live failed (event/order), sim passed (nothing broken)",
        reason="live a lock goes and the writes that wait are carried out within "
        "milliseconds; simulated each takes its 400 ms, and 100 ms late is in order",
    ),
}
"""The same for verdicts (tests.parity.verdicts), by scenario and mutant."""

ONE_ARM: dict[str, str] = {
    "test_nginx.py": "nginx is a real process: the sim arm has none",
}
"""Scenarios that leave histories on one arm only, by how their names begin, and why."""
