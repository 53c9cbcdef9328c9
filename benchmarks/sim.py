"""The standard case of the sim arm: how fast, who uses the CPU, against what."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bare import Bare
from benchmarks.measure import Figure, Measured, Row
from benchmarks.split import CLIENT, JUDGING, OURS, PARTS, metered
from benchmarks.standard import Standard
from benchmarks.tape import Tape

ROUNDS = 15
WARM_UP = 3
BASELINE = "target alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Seconds: real time of a run and its judging, CPU of both, of the bare server.

    `parts` divide the CPU time of run and judging.
    """

    wall_s: float
    cpu_s: float
    bare_s: float
    parts: dict[str, float]


def measure() -> list[Row]:
    """A plain run, the bare server and a metered run in turn; medians."""
    with Standard() as standard:
        for _ in range(WARM_UP):
            standard.run()
        with Tape().recording() as tape:
            standard.run()
        bare = Bare(tape)
        bare.run()
        rounds = [_round(standard, bare) for _ in range(ROUNDS)]
        virtual_s = standard.judge().records[-1].t_s
    return [*_speed(rounds, virtual_s), *_ratios(rounds), *_split(rounds)]


def _round(standard: Standard, bare: Bare) -> _Round:
    began_s = time.perf_counter()
    run_s, judging_s = _cpu_s(standard.run), _cpu_s(standard.judge)
    wall_s = time.perf_counter() - began_s
    bare_s = _cpu_s(bare.run)
    with metered() as meter:
        standard.run()
    return _Round(
        wall_s=wall_s,
        cpu_s=run_s + judging_s,
        bare_s=bare_s,
        parts={**meter.shares(run_s), JUDGING: judging_s},
    )


def _cpu_s(step: Callable[[], object]) -> float:
    began_s = time.process_time()
    step()
    return time.process_time() - began_s


def _speed(rounds: list[_Round], virtual_s: float) -> list[Row]:
    wall_s = _median(rounds, lambda one: one.wall_s)
    cpu_s = _median(rounds, lambda one: one.cpu_s)
    return [
        Figure(
            f"sim: {virtual_s:.1f} virtual s / real time", f"{virtual_s / wall_s:.0f}"
        ),
        Figure("sim: runs per second per core", f"{1 / cpu_s:.1f}"),
    ]


def _ratios(rounds: list[_Round]) -> list[Row]:
    bare_s = _median(rounds, lambda one: one.bare_s)
    ours: dict[str, Callable[[_Round], float]] = {
        "the whole run, judged": lambda one: one.cpu_s,
        "simulator + harness": lambda one: sum(one.parts[part] for part in OURS),
        "client's stack": lambda one: one.parts[CLIENT],
    }
    return [
        Measured(f"sim: {what} / {BASELINE}", _median(rounds, of), bare_s)
        for what, of in ours.items()
    ]


def _split(rounds: list[_Round]) -> list[Row]:
    cpu_s = _median(rounds, lambda one: one.cpu_s)
    rows: list[Row] = []
    for part in PARTS:
        part_s = statistics.median(one.parts[part] for one in rounds)
        took, share = f"{part_s * 1_000:.1f} ms", f"{part_s / cpu_s:.0%}"
        rows.append(Figure(f"sim: {part}", took, share))
    return rows


def _median(rounds: list[_Round], of: Callable[[_Round], float]) -> float:
    return statistics.median(map(of, rounds))
