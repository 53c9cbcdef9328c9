"""The CPU split of the standard case: which part's code runs how long.

Measured with a `Meter` at the borders, not by a profiler, which weighs small functions
too heavily: a step of the loop belongs to the target when its context has a life, else
to the harness; inside a step the calls into httpx, httpx-sse, the simulated sockets,
the wires and the recorder are borders. What a loop does between steps, the wires'
timers and the setting up of a simulated process are the simulator's. Scheduling
(`call_soon`, `create_task`) counts with whoever schedules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
from httpx_sse import EventSource

from benchmarks.meter import Border, Meter, call, coroutine, generator
from harness.client.stream import Attempt
from harness.core.recorder import Recorder
from harness.sim.connection import ClientEnd, ServerEnd
from harness.sim.life import LIFE
from harness.sim.loop import SimLoop
from harness.sim.wire import Wire

TARGET = "target: reference server, uvicorn, SQLite"
CLIENT = "client: httpx, httpcore, h11, httpx-sse"
SIMULATOR = "simulator: loop, network, process"
HARNESS = "harness: virtual clients, world"
HISTORY = "history: recording"
JUDGING = "judging: reading the file, all checkers"
OURS = (SIMULATOR, HARNESS, HISTORY, JUDGING)
PARTS = (TARGET, CLIENT, *OURS)

BORDERS: list[Border] = [
    (httpx.AsyncClient, "build_request", call, CLIENT),
    (httpx.AsyncClient, "send", coroutine, CLIENT),
    (httpx.Response, "aiter_bytes", generator, CLIENT),
    (httpx.Response, "aclose", coroutine, CLIENT),
    (EventSource, "aiter_sse", generator, CLIENT),
    (Attempt, "tap", call, HARNESS),
    (ClientEnd, "read", coroutine, SIMULATOR),
    (ClientEnd, "write", coroutine, SIMULATOR),
    (ClientEnd, "aclose", coroutine, SIMULATOR),
    (ServerEnd, "write", call, SIMULATOR),
    (ServerEnd, "close", call, SIMULATOR),
    (Recorder, "add", call, HISTORY),
]


@contextmanager
def metered() -> Iterator[Meter]:
    """A meter whose time is the simulator's wherever no step runs."""
    meter = Meter(SIMULATOR)
    with meter.patched(BORDERS), patch.object(SimLoop, "_run", _run(meter)):
        yield meter
    meter.enter(SIMULATOR)


def _run(meter: Meter) -> Any:
    """`SimLoop._run`, its callback in the time of the part that it belongs to."""
    run = SimLoop._run

    def metered_run(self: SimLoop, step: Any) -> None:
        callback = step.callback
        if callback is not None:
            step.callback = call(meter, _part_of(step), callback)
        run(self, step)

    return metered_run


def _part_of(step: Any) -> str:
    owner = getattr(step.callback, "__self__", None)
    if isinstance(owner, Wire):
        return SIMULATOR
    return HARNESS if step.context.get(LIFE) is None else TARGET
