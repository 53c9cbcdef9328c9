"""A participant's link through toxiproxy: a proxy per connection attempt.

What each fault means in toxics is in docs/architecture.md, as are the rules that keep
toxiproxy honest: toxics before the connection, never remove one that loses bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import httpcore

from harness.core.errors import HarnessError
from harness.core.fault import Close, Fault, FaultKind, When
from harness.live import toxiproxy as recipe
from harness.live.sockets import ClosingStream, DialBackend, dial
from harness.live.toxiproxy import Proxy, Toxic
from harness.live.toxiproxy_server import ToxiproxyServer

Address = tuple[str, int]

SLICE_DELAY_US = 5_000
"""Pause between slices, so that they are not all read at once on a busy machine."""

_REFUSING = (FaultKind.REFUSE, FaultKind.PARTITION)
_KEPT = (FaultKind.LATENCY, FaultKind.BANDWIDTH, FaultKind.SLICE, FaultKind.STALL)
_SWALLOWING = (FaultKind.BLACK_HOLE, FaultKind.PARTITION, FaultKind.LOST_ACK)


def toxics_of(fault: Fault) -> tuple[Toxic, ...]:
    """The toxics that make a lasting fault on one connection."""
    match fault.kind:
        case FaultKind.LATENCY:
            return (recipe.latency(fault.delay_ms),)
        case FaultKind.BANDWIDTH:
            return (recipe.bandwidth(fault.kilobytes_per_s),)
        case FaultKind.SLICE:
            return (recipe.slicer(fault.slice_bytes, SLICE_DELAY_US),)
        case FaultKind.STALL:
            return (recipe.stall(),)
        case FaultKind.SLOW_CLOSE:
            return (recipe.slow_close(fault.delay_ms),)
        case FaultKind.BLACK_HOLE | FaultKind.PARTITION:
            return (recipe.black_hole("downstream"), recipe.black_hole("upstream"))
        case FaultKind.LOST_ACK:
            return (recipe.black_hole("downstream"),)
    return ()


@dataclass(eq=False, slots=True)
class _Connection:
    purpose: str
    proxy: Proxy
    faults: list[Fault] = field(default_factory=list)


class ProxiedLink:
    """Its faults hold for connections that are open and, where they last, for new ones.

    One change at a time: a connection that is being made when a fault begins either
    has its toxics from birth or gets them after.
    """

    def __init__(
        self, toxiproxy: ToxiproxyServer, address: Callable[[], Address], close: Close
    ) -> None:
        self._toxiproxy = toxiproxy
        self._address = address
        self._close = close
        self._lasting: list[Fault] = []
        self._next_cut = 0
        self._open: list[_Connection] = []
        self._change = asyncio.Lock()
        self.streams = DialBackend(lambda timeout: self._connect("streams", timeout))
        self.calls = DialBackend(lambda timeout: self._connect("calls", timeout))

    async def apply(self, fault: Fault) -> None:
        """Begin a fault on this link."""
        async with self._change:
            if fault.kind is FaultKind.CUT:
                await self._cut(fault)
                return
            if fault.kind is not FaultKind.BLACK_HOLE:
                self._lasting.append(fault)
            await self._each(self._poison(one, fault) for one in self._hit_by(fault))

    async def heal(self, fault: Fault) -> None:
        """End a fault; connections that lost bytes end with it."""
        async with self._change:
            if fault in self._lasting:
                self._lasting.remove(fault)
            hit = [one for one in self._open if fault in one.faults]
            if fault.kind in _KEPT:
                await self._each(self._cure(one, fault) for one in hit)
            elif fault.kind in _SWALLOWING:
                await self._each(self._end(one) for one in hit)

    async def aclose(self) -> None:
        """Delete every proxy of this link."""
        await self._each(self._end(one) for one in list(self._open))

    async def _connect(
        self, purpose: str, timeout: float | None
    ) -> httpcore.AsyncNetworkStream:
        async with self._change:
            connection = await self._open_proxy(purpose)
        try:
            socket = await dial(connection.proxy.address, timeout)
        except BaseException:
            await self._end(connection)
            raise
        return ClosingStream(socket, lambda: self._end(connection))

    async def _open_proxy(self, purpose: str) -> _Connection:
        faults = [f for f in self._lasting if _concerns(f, purpose)]
        toxics = [t for f in faults for t in toxics_of(f)]
        if purpose == "streams":
            toxics += self._cut_at_birth()
            if self._close is Close.RST:
                toxics.append(recipe.rst_on_close())
        proxy = await self._toxiproxy.open_proxy(
            upstream=self._address(), toxics=toxics
        )
        connection = _Connection(purpose, proxy, faults)
        self._open.append(connection)
        if any(fault.kind in _REFUSING for fault in faults):
            await proxy.disable()
        return connection

    def _cut_at_birth(self) -> list[Toxic]:
        after, self._next_cut = self._next_cut, 0
        return [recipe.limit_data(after)] if after else []

    async def _cut(self, fault: Fault) -> None:
        if fault.close is not self._close:
            raise HarnessError(
                f"{fault.says()}: this client was opened to be cut by {self._close}; "
                f"open it with close=Close.{fault.close.name}"
            )
        if fault.when is When.NEXT:
            self._next_cut = fault.after_bytes
            return
        streams = [one for one in self._open if one.purpose == "streams"]
        if not streams:
            return
        if fault.after_bytes:
            await streams[-1].proxy.add(recipe.limit_data(fault.after_bytes))
        else:
            await self._end(streams[-1])

    def _hit_by(self, fault: Fault) -> list[_Connection]:
        return [one for one in self._open if _concerns(fault, one.purpose)]

    async def _poison(self, connection: _Connection, fault: Fault) -> None:
        connection.faults.append(fault)
        for toxic in toxics_of(fault):
            await connection.proxy.add(toxic)

    async def _cure(self, connection: _Connection, fault: Fault) -> None:
        connection.faults.remove(fault)
        for toxic in toxics_of(fault):
            await connection.proxy.remove(toxic)

    async def _end(self, connection: _Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            await connection.proxy.delete()

    async def _each(self, steps: Iterable[Awaitable[None]]) -> None:
        await asyncio.gather(*steps)


def _concerns(fault: Fault, purpose: str) -> bool:
    """Lost acknowledgements are of calls, partitions and refusals of everything."""
    if fault.kind in _REFUSING:
        return True
    return (purpose == "calls") == (fault.kind is FaultKind.LOST_ACK)
