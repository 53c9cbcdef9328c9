"""Random cases on the clean server: how many a second, and what takes the time."""

import time

from benchmarks.edges import hunted
from benchmarks.measure import Figure, Row
from benchmarks.meter import Border, Meter, call
from harness.chaos import trial
from harness.sim.arm import SimArm

RUNS = 200
SEED = 7

DRAWING = "drawing: hypothesis"
RUNNING = "running"
JUDGING = "judging: reading the file, all checkers"
EDGES = "edges and phases reached"
PARTS = (RUNNING, JUDGING, EDGES, DRAWING)

BORDERS: list[Border] = [
    (SimArm, "run", call, RUNNING),
    (trial, "load", call, JUDGING),
    (trial, "channels_of", call, JUDGING),
    (trial, "judge", call, JUDGING),
    (trial, "edges_of", call, EDGES),
    (trial, "reached_in", call, EDGES),
]


def measure() -> list[Row]:
    """One hunt in this process; whatever is none of the other parts is drawing."""
    meter = Meter(DRAWING)
    began_s = time.process_time()
    with meter.patched(BORDERS):
        tally = hunted(SEED, RUNS)
    cpu_s = time.process_time() - began_s
    meter.enter(DRAWING)
    shares = meter.shares(cpu_s)
    return [
        Figure("chaos: runs per second per core", f"{RUNS / cpu_s:.1f}"),
        Figure("chaos: virtual seconds a run", f"{tally.virtual_s / RUNS:.1f}"),
        *(_row(part, shares[part], cpu_s) for part in PARTS),
    ]


def _row(part: str, part_s: float, cpu_s: float) -> Row:
    took = f"{part_s / RUNS * 1_000:.1f} ms"
    return Figure(f"chaos: {part}", took, f"{part_s / cpu_s:.1%}")
