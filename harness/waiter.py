"""Bounded waits on conditions, and a probe of how late the harness itself runs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from harness.core.errors import Unreached
from harness.core.history import Lag
from harness.core.recorder import Recorder

WAIT_S = 10.0
"""How long a condition may take by default before the case says so and stops."""

TICK_S = 0.05
"""How often a condition is looked at when nothing was recorded meanwhile."""

LAG_S = 0.05
"""Lateness of the harness's own loop from which on it is recorded."""


class Waiter:
    """Looks at a condition whenever something was recorded, and every tick.

    `check` runs at each look; it raises harness trouble, and returns True when waiting
    on makes no sense (the server died).
    """

    def __init__(self, recorder: Recorder, check: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._check = check
        self._lags: list[Lag] = []
        self._wake = asyncio.Event()
        recorder.on_add = self._wake.set

    async def until(
        self, condition: Callable[[], bool], what: str, *, within_s: float = WAIT_S
    ) -> None:
        """Wait for a condition; raises `Unreached` when it does not come about."""
        if not await self.comes_about(condition, within_s):
            hopeless = self._check()
            how = "given up on" if hopeless else f"not within {within_s:g} s"
            raise Unreached(f"{how}: {what}")

    async def comes_about(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait for a condition, bounded by time in which the harness was not late."""
        loop = asyncio.get_running_loop()
        spent = 0.0
        while not condition():
            if self._check() or spent >= within_s:
                return False
            self._wake.clear()
            before = loop.time()
            await self._next_look()
            spent += min(loop.time() - before, 2 * TICK_S)
        return True

    async def outlasts(self, seconds: float, *, since_s: float | None = None) -> None:
        """Let time go by until also the harness's own lateness cannot have hidden it.

        An oracle that doubts times around every lag needs as much more of it; not more
        than as long again. `since_s` is a time of the history, by default now.
        """
        now = self._recorder.now
        began = now() if since_s is None else since_s
        while True:
            due = began + seconds + min(self._doubt_s(began), seconds)
            if now() >= due:
                return
            await asyncio.sleep(due - now())

    def _doubt_s(self, since_s: float) -> float:
        """Twice each lag, for what is timed may have begun before, and the worst."""
        worst = max((lag.lag_s for lag in self._lags), default=0.0)
        return worst + 2 * sum(lag.lag_s for lag in self._lags if lag.t_s > since_s - 1)

    async def probe_lag(self) -> None:
        """Record whenever the loop is late, for as long as it runs and at its end."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            try:
                await asyncio.sleep(TICK_S)
            finally:
                lag_s = loop.time() - before - TICK_S
                if lag_s >= LAG_S:
                    self._lags.append(self._recorder.add(Lag, lag_s=round(lag_s, 3)))

    async def _next_look(self) -> None:
        # Not wait_for: on Python 3.11 it may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await self._wake.wait()
