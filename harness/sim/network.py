"""The simulated network: listeners, connections, and links with faults."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import httpcore

from harness.arm import Bare, Box, Link
from harness.core.errors import NotApplicable
from harness.core.fault import REFUSING, Close, Fault, FaultKind
from harness.core.nginx import Nginx
from harness.link import DirectLink, FaultyLink
from harness.sim.connection import Connection
from harness.sim.life import LIFE, Life
from harness.sim.loop import SimLoop
from harness.sim.wire import PLAIN, Shape

HOST = "127.0.0.1"
LATENCY_S = (0.0001, 0.001)
"""How long bytes take at least and at most, without a fault."""

FIRST_CLIENT_PORT = 40_000
REFUSED = "All connection attempts failed"
"""As anyio words it, so that histories of both arms read alike."""


class Listener:
    """An open port of the server; as asyncio's Server, as far as uvicorn asks."""

    def __init__(
        self, network: "SimNetwork", life: Life, port: int, factory: Callable[[], Any]
    ) -> None:
        self.life = life
        self.port = port
        self.factory = factory
        self.sockets = (self,)
        self._network = network

    def getsockname(self) -> tuple[str, int]:
        """Its address."""
        return HOST, self.port

    def close(self) -> None:
        """Accept nothing more."""
        self._network.unlisten(self)

    async def wait_closed(self) -> None:
        """It is closed at once."""


class SimNetwork:
    """Connects clients to whoever listens on `port` at that moment."""

    def __init__(self, loop: SimLoop, rng: random.Random) -> None:
        self.port = 0
        self._loop = loop
        self._rng = rng
        self._listeners: dict[int, Listener] = {}
        self._open: dict[Connection, None] = {}
        self._held: dict[Connection, None] = {}
        self._made = 0

    def link(self, *, direct: bool, close: Close, bare: Bare | None = None) -> Link:
        """A participant's way to the server; bare or not, it is the same here."""
        del bare
        if direct:
            return DirectLink(self._dial)
        return FaultyLink(_Passages(self, close), close)

    async def middlebox(self, nginx: Nginx) -> Box:
        """There is none here."""
        del nginx
        raise NotApplicable("nginx is a real process: --arm live has it, sim does not")

    def listen(self, factory: Callable[[], Any], port: int) -> Listener:
        """Open a port for the life that asks."""
        life = LIFE.get()
        assert life is not None
        if port in self._listeners:
            raise OSError(98, f"address already in use: {HOST}:{port}")
        listener = self._listeners[port] = Listener(self, life, port, factory)
        return listener

    def unlisten(self, listener: Listener) -> None:
        """Close a port."""
        if self._listeners.get(listener.port) is listener:
            del self._listeners[listener.port]

    def end_of(self, life: Life) -> None:
        """A process has ended: its kernel closes its ports and connections."""
        for listener in list(self._listeners.values()):
            if listener.life is life:
                listener.close()
        for connection in list(self._open):
            if connection.life is life:
                connection.sever()

    def latency_s(self) -> float:
        """How long the next bytes take."""
        return self._rng.uniform(*LATENCY_S)

    async def travel(self) -> None:
        """A way to the server and back."""
        await asyncio.sleep(self.latency_s() + self.latency_s())

    def connect(self, *, rst: bool = False) -> Connection | None:
        """A new connection; None when nobody listens."""
        listener = self._listeners.get(self.port)
        if listener is None:
            return None
        self._made += 1
        peer = (HOST, FIRST_CLIENT_PORT + self._made)
        connection = Connection(
            self._loop,
            listener.life,
            latency=self.latency_s,
            addresses=((HOST, self.port), peer),
            rst=rst,
            on_end=self._forget,
        )
        self._open[connection] = self._held[connection] = None
        connection.server.accept(listener.factory)
        return connection

    def held_by(self, life: Life) -> int:
        """How many connections a life has not closed, whether or not they are dead."""
        self._held = {c: None for c in self._held if not c.server.lost}
        return sum(connection.life is life for connection in self._held)

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    async def _dial(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        del timeout
        await self.travel()
        connection = self.connect()
        if connection is None:
            raise httpcore.ConnectError(REFUSED)
        return connection.client


class _Passages:
    """Makes passages (`link.Prepare`)."""

    def __init__(self, network: SimNetwork, close: Close) -> None:
        self._network = network
        self._close = close

    async def __call__(
        self, purpose: str, faults: list[Fault], *, cut_after: int
    ) -> "SimPassage":
        rst = purpose == "streams" and self._close is Close.RST
        return SimPassage(self._network, purpose, faults, cut_after, rst=rst)


class SimPassage:
    """One connection on its way through the faults."""

    def __init__(
        self,
        network: SimNetwork,
        purpose: str,
        faults: list[Fault],
        cut_after: int,
        *,
        rst: bool,
    ) -> None:
        self.purpose = purpose
        self.faults = faults
        self._network = network
        self._cut_after = cut_after
        self._rst = rst
        self._connection: Connection | None = None

    async def connect(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        """Connect; when nobody listens, be hung up on, as by a proxy."""
        del timeout
        await self._network.travel()
        if any(fault.kind in REFUSING for fault in self.faults):
            raise httpcore.ConnectError(REFUSED)
        connection = self._network.connect(rst=self._rst)
        if connection is None:
            return HungUp()
        self._connection = connection
        connection.down.limit = self._cut_after or None
        self._reshape()
        return connection.client

    async def poison(self, fault: Fault) -> None:
        """It counts from now on."""
        del fault
        self._reshape()

    async def cure(self, fault: Fault) -> None:
        """It counts no more."""
        del fault
        self._reshape()

    async def limit(self, after_bytes: int) -> None:
        """So many more bytes."""
        if self._connection is not None:
            self._connection.down.limit = after_bytes

    async def end(self) -> None:
        """Cut it."""
        if self._connection is not None:
            self._connection.cut()

    def _reshape(self) -> None:
        if self._connection is not None:
            down, up = shapes(self.faults)
            self._connection.down.reshape(down)
            self._connection.up.reshape(up)


class HungUp(httpcore.AsyncNetworkStream):
    """A proxy's socket whose other side nobody answers: it ends at once."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The end."""
        del max_bytes, timeout
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Into the void."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def get_extra_info(self, info: str) -> Any:
        """It is readable: its end is."""
        return True if info == "is_readable" else None


def shapes(faults: list[Fault]) -> tuple[Shape, Shape]:
    """What these faults together do to the way down and the way up."""
    if not faults:
        return PLAIN, PLAIN
    kinds = {fault.kind for fault in faults}
    rates = [fault.kilobytes_per_s for fault in faults if fault.kilobytes_per_s]
    slices = [fault.slice_bytes for fault in faults if fault.slice_bytes]
    silent = {FaultKind.BLACK_HOLE, FaultKind.PARTITION}
    down = Shape(
        delay_s=_delay_s(faults, FaultKind.LATENCY),
        bytes_per_s=1_000.0 * min(rates, default=0),
        slice_bytes=min(slices, default=0),
        end_delay_s=_delay_s(faults, FaultKind.SLOW_CLOSE),
        held=FaultKind.STALL in kinds,
        swallows=bool(kinds & (silent | {FaultKind.LOST_ACK})),
    )
    return down, Shape(swallows=bool(kinds & silent))


def _delay_s(faults: list[Fault], kind: FaultKind) -> float:
    return sum(one.delay_ms for one in faults if one.kind is kind) / 1_000
