"""How many random cases it takes until each edge is first reached, over several seeds.

An edge that some seed does not reach within `RUNS` is named: the weights of the drawing
(harness.chaos.weights) are to be tuned until there is none.
"""

import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.measure import Figure, Row
from harness.chaos.edges import edges_for
from harness.chaos.tally import Tally
from harness.chaos.worker import Caught, Ended, Errand, Tried, Worker
from harness.core.profile import Profile
from harness.core.target import load_target
from harness.options import find_target

SEEDS = (1, 2, 3, 4, 5, 6)
RUNS = 500
JOBS = 2


def measure() -> list[Row]:
    """For each profile its edges, the last to be reached first, and how many were."""
    with ProcessPoolExecutor(JOBS) as pool:
        return [row for profile in Profile for row in _of(profile, pool)]


def _of(profile: Profile, pool: ProcessPoolExecutor) -> list[Row]:
    tallies = list(pool.map(partial(hunted, runs=RUNS, profile=profile), SEEDS))
    edges = edges_for([profile])
    rows = [_row(edge, tallies) for edge in edges]
    rows.sort(key=lambda row: -row[0])
    everywhere = sum(1 for worst, _ in rows if worst <= RUNS)
    virtual_s = sum(one.virtual_s for one in tallies) / len(tallies) / RUNS
    reached = f"{everywhere} of {len(edges)}"
    return [
        Figure(f"{profile}: runs until first reached, six seeds", "median", "worst"),
        *(row for _, row in rows),
        Figure(f"{profile}: edges reached in {RUNS} runs by each", reached),
        Figure(f"{profile}: virtual seconds a run", f"{virtual_s:.1f}"),
    ]


def hunted(seed: int, runs: int, profile: Profile = Profile.BROADCAST) -> Tally:
    """One hunt on the clean server, in this process: the same runs at every time."""
    tally = Tally()

    def tell(what: Tried | Caught | Ended) -> None:
        if isinstance(what, Tried):
            tally.add(what)

    with tempfile.TemporaryDirectory(prefix="unbroken-bench-") as out:
        errand = Errand(
            target=load_target(find_target("reference")),
            profiles=(profile,),
            arm="sim",
            mutant="",
            seed=seed,
            out=str(Path(out)),
            runs=runs,
            musts=(),
        )
        Worker(0, errand, tell).work()
    return tally


def _row(edge: str, tallies: list[Tally]) -> tuple[float, Figure]:
    """The worst seed's runs, to sort by; an edge not reached counts as infinite."""
    runs = [tally.first_run.get(edge, float("inf")) for tally in tallies]
    shown = [_shown(statistics.median_high(runs)), _shown(max(runs))]
    return max(runs), Figure(f"  {edge}", *shown)


def _shown(runs: float) -> str:
    return "never" if runs == float("inf") else f"{runs:.0f}"
