"""The clocks that the target reads, and `time.sleep`, which only it is late by.

`time.time` and `datetime.now` go through time-machine, in C, whoever imported them
when; the others are replaced while a case runs. A replacement asks for the loop that
runs, since a module may keep it from one case to the next.
"""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable, Iterator

import time_machine

from harness.sim.life import LIFE
from harness.sim.loop import SimLoop

EPOCH = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
"""The wall clock's time when a case begins."""

_real_monotonic = time.monotonic
_real_monotonic_ns = time.monotonic_ns
_real_perf_counter = time.perf_counter
_real_perf_counter_ns = time.perf_counter_ns
_real_sleep = time.sleep


@contextlib.contextmanager
def wall_clock() -> Iterator[Callable[[float], None]]:
    """Stop the wall clock; what is yielded moves it by so many seconds."""
    travel = time_machine.travel(EPOCH, tick=False)
    traveller = travel.start()
    try:
        yield traveller.shift
    finally:
        travel.stop()


def _loop() -> SimLoop | None:
    """The loop that runs in this thread, if it is a simulated one."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, SimLoop) else None


def monotonic() -> float:
    """Virtual in the thread of the loop, real in the others."""
    loop = _loop()
    return _real_monotonic() if loop is None else loop.time()


def monotonic_ns() -> int:
    """As `monotonic`."""
    loop = _loop()
    return _real_monotonic_ns() if loop is None else int(loop.time() * 1e9)


def perf_counter() -> float:
    """Virtual for the target; the harness may want to know what a case has cost."""
    loop = _loop()
    if loop is None or LIFE.get() is None:
        return _real_perf_counter()
    return loop.time()


def perf_counter_ns() -> int:
    """As `perf_counter`."""
    loop = _loop()
    if loop is None or LIFE.get() is None:
        return _real_perf_counter_ns()
    return int(loop.time() * 1e9)


def sleep(seconds: float, /) -> None:
    """Block the life that calls, and nobody else."""
    loop = _loop()
    if loop is None or LIFE.get() is None:
        _real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")
    else:
        loop.block(seconds)


REPLACEMENTS = [
    (time, "monotonic", monotonic),
    (time, "monotonic_ns", monotonic_ns),
    (time, "perf_counter", perf_counter),
    (time, "perf_counter_ns", perf_counter_ns),
    (time, "sleep", sleep),
]
