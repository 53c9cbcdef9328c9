"""What the target sees of its process: clock, chance, signals, threads, exit.

While a case runs, the functions of the standard library that reach for these are
replaced by ones that ask which life calls: the target's gets the simulated thing,
everybody else the real one.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import anyio.to_thread

from harness.sim import chance, clock, signals
from harness.sim.life import LIFE
from harness.sim.output import Output
from harness.sim.refusal import Refusals

_real_run_sync = anyio.to_thread.run_sync


@contextlib.contextmanager
def simulated(tell: Callable[[str], None]) -> Iterator[None]:
    """Give the target a simulated process; `tell` gets what was refused to it."""
    with contextlib.ExitStack() as stack:
        for owner, name, replacement in _REPLACEMENTS:
            stack.enter_context(patch.object(owner, name, replacement))
        stack.enter_context(patch.object(sys, "stdout", Output(sys.stdout)))
        stack.enter_context(patch.object(sys, "stderr", Output(sys.stderr)))
        stack.enter_context(Refusals(tell))
        yield


async def _run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Starlette's worker threads: the call is made on the loop, as in to_thread."""
    if LIFE.get() is None:
        return await _real_run_sync(func, *args, **options)
    return await asyncio.to_thread(func, *args)


_REPLACEMENTS: list[tuple[object, str, object]] = [
    *clock.REPLACEMENTS,
    *chance.REPLACEMENTS,
    *signals.REPLACEMENTS,
    (anyio.to_thread, "run_sync", _run_sync),
]
