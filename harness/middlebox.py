"""The middleboxes of a case: who is behind each, and the faults that are theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.arm import Box, Link, Network
from harness.core.fault import Close, Fault, FaultKind
from harness.core.history import Behind
from harness.core.nginx import Nginx
from harness.core.recorder import Recorder
from harness.nemesis import Nemesis


class Middlebox:
    """One nginx as a scenario has it; its faults hit every client behind it."""

    def __init__(
        self, box: Box, nginx: Nginx, *, nemesis: Nemesis, recorder: Recorder
    ) -> None:
        self.nginx = nginx
        self._box = box
        self._nemesis = nemesis
        self._recorder = recorder
        self._whom: list[str] = []

    def link(self, who: str, *, close: Close) -> Link:
        """The way of `who`, who is behind it from now on."""
        self._whom.append(who)
        version = self._box.version
        self._recorder.add(Behind, who=who, nginx=self.nginx, version=version)
        return self._box.link(close=close)

    @asynccontextmanager
    async def reloaded(self) -> AsyncIterator[None]:
        """Reload it (`nginx -s reload`), run a block, see the old streams end.

        Without a `shutdown_timeout_s` they never do, and the case could not be run.
        """
        fault = self._fault(FaultKind.MIDDLEBOX_RELOAD)
        async with self._nemesis.upon(fault, self._box.reload):
            yield

    async def restart(self) -> None:
        """End it under its streams, and start it again."""
        fault = self._fault(FaultKind.MIDDLEBOX_RESTART)
        async with self._nemesis.upon(fault, self._box.restart):
            pass

    def check(self) -> None:
        """Raises `CouldNotRun` when it died by itself."""
        self._box.check()

    async def aclose(self) -> None:
        """End it."""
        await self._box.aclose()

    def _fault(self, kind: FaultKind) -> Fault:
        return Fault(kind=kind, whom=tuple(self._whom))


class Middleboxes:
    """All of one case; each is ended with it."""

    def __init__(
        self, network: Network, *, nemesis: Nemesis, recorder: Recorder
    ) -> None:
        self._network = network
        self._nemesis = nemesis
        self._recorder = recorder
        self._open: list[Middlebox] = []

    async def open(self, nginx: Nginx) -> Middlebox:
        """Start one; raises what `Network.middlebox` raises."""
        box = await self._network.middlebox(nginx)
        made = Middlebox(box, nginx, nemesis=self._nemesis, recorder=self._recorder)
        self._open.append(made)
        return made

    def check(self) -> None:
        """Raises `CouldNotRun` when one died: nobody is to be blamed for that."""
        for one in self._open:
            one.check()

    async def aclose(self) -> None:
        """End them all, then tell of one that had died."""
        try:
            self.check()
        finally:
            await asyncio.gather(*(one.aclose() for one in self._open))
