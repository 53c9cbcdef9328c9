"""Carries faults out, sees that they bite, and writes both into the history."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from harness.arm import How, Link, Server, Storage
from harness.core.errors import HarnessError, Unreached
from harness.core.fault import Fault, FaultKind
from harness.core.history import F, Hold, Info, Invoke, Ok
from harness.core.recorder import Recorder
from harness.effects import Evidence, observed

EFFECT_S = 8.0
"""How long a fault may take to show; past that the case could not be run."""

Until = Callable[..., Awaitable[None]]


class Nemesis:
    """Named as in Jepsen: the process that injects faults."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        links: Mapping[str, Link],
        server: Server,
        until: Until,
    ) -> None:
        self._recorder = recorder
        self._links = links
        self._server = server
        self._until = until

    @asynccontextmanager
    async def during(self, fault: Fault) -> AsyncIterator[None]:
        """Keep a fault up around a block, then wait for its effect and heal it.

        A fault whose effect was not observed ends as `Info`, which makes the case
        "could not run"; the block goes on all the same.
        """
        invoke, since = self._invoke(fault)
        await self._each(fault, "apply")
        effect = ""
        try:
            yield
            effect = await self._observe(fault, since)
        finally:
            await self._each(fault, "heal")
            self._complete(invoke, effect)

    @asynccontextmanager
    async def upon(
        self, fault: Fault, act: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """Do it, run a block, then wait for its effect; nothing is there to heal."""
        invoke, since = self._invoke(fault)
        effect = ""
        try:
            await act()
            yield
            effect = await self._observe(fault, since)
        finally:
            self._complete(invoke, effect)

    @asynccontextmanager
    async def of_storage(self, storage: Storage, fault: Fault) -> AsyncIterator[None]:
        """Keep a fault of the storage up around a block; see its effect, then end it.

        From when to when it surely held is written down, for judgements rest on it.
        """
        invoke, since = self._invoke(fault)
        try:
            await storage.begin(fault, lambda: self._recorder.add(Hold, call=invoke.n))
            yield
            await self._observe(fault, since)
        finally:  # it may have shown before the block broke off
            effect = observed(fault, self._recorder.records, since)
            self._recorder.add(Hold, call=invoke.n, ends=True)
            await storage.end(fault)
            self._complete(invoke, effect)

    async def end_life(self, how: How) -> None:
        """End the server, and see its exit."""
        kind = FaultKind.KILL if how is How.KILL else FaultKind.TERM
        async with self._on_server(kind):
            await self._server.stop(how)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Freeze the server around a block."""
        async with self._on_server(FaultKind.PAUSE):
            await self._server.pause()
            try:
                yield
            finally:
                await self._server.resume()

    @asynccontextmanager
    async def _on_server(self, kind: FaultKind) -> AsyncIterator[None]:
        fault = Fault(kind=kind)
        invoke, since = self._invoke(fault)
        effect = ""
        try:
            yield
            effect = observed(fault, self._recorder.records, since)
        finally:
            self._complete(invoke, effect)

    def _invoke(self, fault: Fault) -> tuple[Invoke, int]:
        since = len(self._recorder.records)
        invoke = self._recorder.add(Invoke, who="nemesis", f=F.FAULT, fault=fault)
        return invoke, since

    def _complete(self, invoke: Invoke, effect: str) -> None:
        if effect:
            self._recorder.add(Ok, call=invoke.n, effect=effect)
        else:
            self._recorder.add(Info, call=invoke.n, error="no effect was observed")

    async def _observe(self, fault: Fault, since: int) -> str:
        evidence = Evidence(self._recorder.records, fault, since)
        try:
            await self._until(
                lambda: bool(evidence.effect()),
                f"the fault shows: {fault.says()}",
                within_s=EFFECT_S,
            )
        except Unreached:
            return ""
        return evidence.effect()

    async def _each(self, fault: Fault, step: str) -> None:
        """Apply or heal on every victim at once."""
        links = [self._links[name] for name in fault.whom]
        done = await asyncio.gather(
            *(getattr(link, step)(fault) for link in links), return_exceptions=True
        )
        for error in done:
            if isinstance(error, BaseException):
                if step == "heal" and isinstance(error, HarnessError):
                    continue  # it is gone with its proxies; the effect was judged
                raise error
