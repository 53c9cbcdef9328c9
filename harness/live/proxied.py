"""Connections through toxiproxy: a proxy per connection attempt.

What each fault means in toxics is in docs/architecture.md, as are the rules that keep
toxiproxy honest: toxics before the connection, never remove one that loses bytes.
"""

import socket
from collections.abc import Callable

import httpcore

from harness.core.fault import REFUSING, Close, Fault, FaultKind
from harness.link import Passage
from harness.live import toxiproxy as recipe
from harness.live.ports import HOST
from harness.live.sockets import dial
from harness.live.toxiproxy import Proxy, Toxic
from harness.live.toxiproxy_server import ToxiproxyServer

Address = tuple[str, int]

SLICE_DELAY_US = 5_000
"""Pause between slices, so that they are not all read at once on a busy machine."""


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


class ProxiedPassage:
    """One connection through a proxy of its own."""

    def __init__(self, purpose: str, faults: list[Fault], proxy: Proxy) -> None:
        self.purpose = purpose
        self.faults = faults
        self._proxy = proxy

    async def poison(self, fault: Fault) -> None:
        """Add the fault's toxics."""
        for toxic in toxics_of(fault):
            await self._proxy.add(toxic)

    async def cure(self, fault: Fault) -> None:
        """Take them away."""
        for toxic in toxics_of(fault):
            await self._proxy.remove(toxic)

    async def limit(self, after_bytes: int) -> None:
        """So many more bytes."""
        await self._proxy.add(recipe.limit_data(after_bytes))

    async def end(self) -> None:
        """Delete the proxy, which cuts the connection."""
        await self._proxy.delete()

    async def connect(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        """Connect to the proxy."""
        return await dial(self._proxy.address, timeout)


class RefusedPassage:
    """A way to a port that is bound, so nobody's, and on which nobody listens.

    A disabled proxy would refuse too, but its port is free meanwhile: another case's
    proxy may get it, and that case's server would answer here.
    """

    def __init__(self, purpose: str, faults: list[Fault]) -> None:
        self.purpose = purpose
        self.faults = faults
        self._bound = socket.socket()
        self._bound.bind((HOST, 0))

    async def poison(self, fault: Fault) -> None:
        """Nothing comes through that a fault could change."""

    async def cure(self, fault: Fault) -> None:
        """Only the next connection is let through."""

    async def limit(self, after_bytes: int) -> None:
        """No byte comes through."""

    async def end(self) -> None:
        """Give the port back."""
        self._bound.close()

    async def connect(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        """Ask the kernel, which refuses."""
        return await dial(self._bound.getsockname(), timeout)


class Proxies:
    """Makes passages: toxics first, then the proxy is enabled (`link.Prepare`)."""

    def __init__(
        self, toxiproxy: ToxiproxyServer, address: Callable[[], Address], close: Close
    ) -> None:
        self._toxiproxy = toxiproxy
        self._address = address
        self._close = close

    async def __call__(
        self, purpose: str, faults: list[Fault], *, cut_after: int
    ) -> Passage:
        """A proxy with these faults, cut after so many bytes if that is not 0."""
        if any(fault.kind in REFUSING for fault in faults):
            return RefusedPassage(purpose, faults)
        toxics = [toxic for fault in faults for toxic in toxics_of(fault)]
        if cut_after:
            toxics.append(recipe.limit_data(cut_after))
        if purpose == "streams" and self._close is Close.RST:
            toxics.append(recipe.rst_on_close())
        proxy = await self._toxiproxy.open_proxy(
            upstream=self._address(), toxics=toxics
        )
        return ProxiedPassage(purpose, faults, proxy)
