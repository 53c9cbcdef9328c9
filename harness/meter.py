"""Measures what the target holds, into the history (`World.meter`)."""

import asyncio
from collections.abc import Callable

from harness.arm import Server
from harness.core.errors import NotApplicable, Unreached
from harness.core.history import Resources
from harness.core.recorder import Recorder
from harness.core.usage import Moment, Usage

MEASURE_S = 0.2
"""How often it is measured while something is waited for."""


class Meter:
    """Reads the usage of one server."""

    def __init__(self, server: Server, recorder: Recorder) -> None:
        self._server = server
        self._recorder = recorder

    async def read(self, moment: Moment, *, needed: bool = False) -> Usage:
        """Write down what the target holds; what nobody can tell stays None.

        Where it is `needed` and nothing can be told, the case is not applicable.
        """
        usage = await self._server.usage()
        if usage is None:
            if not self._server.up:
                raise Unreached("the target died before it was measured")
            if needed:
                raise NotApplicable(
                    "nobody can tell what this target holds: it runs already, and "
                    "its file names no metrics path"
                )
            return Usage()
        self._recorder.add(Resources, moment=moment, usage=usage)
        return usage

    async def until(
        self, moment: Moment, good: Callable[[Usage], bool], *, within_s: float
    ) -> bool:
        """Read until it is good, or so long that it should have been; whether it is.

        As with every wait, time in which the harness was late does not count.
        """
        loop, spent_s = asyncio.get_running_loop(), 0.0
        while not good(await self.read(moment)):
            if spent_s >= within_s:
                return False
            before_s = loop.time()
            await asyncio.sleep(MEASURE_S)
            spent_s += min(loop.time() - before_s, 1.2 * MEASURE_S)
        return True
