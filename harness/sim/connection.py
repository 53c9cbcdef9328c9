"""One connection: two wires, the client's end and the server's.

The client's end is httpcore's stream, the server's an asyncio transport. Whatever the
server's end tells its protocol it tells as a step of the server's life.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpcore

from harness.sim.life import Life
from harness.sim.loop import SimLoop
from harness.sim.wire import Wire

HIGH_WATER, LOW_WATER = 65_536, 16_384
"""asyncio's own marks for a transport's buffer."""

Address = tuple[str, int]


class Connection:
    """Both ends and both wires; with `rst` every end of it shows as a reset."""

    def __init__(
        self,
        loop: SimLoop,
        life: Life,
        *,
        latency: Callable[[], float],
        addresses: tuple[Address, Address],
        rst: bool,
        on_end: Callable[["Connection"], None],
    ) -> None:
        self.life = life
        self.rst = rst
        self.client = ClientEnd(self, loop)
        self.server = ServerEnd(self, loop, addresses)
        self.up = Wire(
            loop,
            latency=latency,
            deliver=self.server.received,
            end=self.server.peer_ended,
        )
        self.down = Wire(
            loop,
            latency=latency,
            deliver=self.client.received,
            end=self.client.peer_ended,
        )
        self.down.on_limit = self.cut
        self.down.on_room = self.server.room
        self.up.on_room = self.client.room
        self._on_end = on_end

    def cut(self) -> None:
        """Both ends learn that it is over: at once the client, soon the server."""
        self.down.cut(reset=self.rst)
        self.up.finish(reset=self.rst)
        self.forget()

    def sever(self) -> None:
        """The server's process is gone: its kernel closes what it had open."""
        self.down.finish(reset=self.rst)
        self.up.ended = True
        self.forget()

    def forget(self) -> None:
        """One end has closed: the network need not know it any more."""
        self._on_end(self)


class ClientEnd(httpcore.AsyncNetworkStream):
    """What httpcore reads from and writes to."""

    def __init__(self, connection: Connection, loop: SimLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._inbox = bytearray()
        self._ended = False
        self._reset = False
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come; b"" at the end."""
        if not self._inbox and not self._ended:
            await self._wait(timeout, httpcore.ReadTimeout)
        if self._inbox:
            data = bytes(self._inbox[:max_bytes])
            del self._inbox[:max_bytes]
            self._connection.down.read(len(data))
            return data
        if self._reset:
            raise httpcore.ReadError("")  # as anyio's
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it, as the window allows."""
        up = self._connection.up
        view = memoryview(buffer)
        while len(view):
            if self._reset:
                raise httpcore.WriteError("")
            if not up.room:
                await self._wait(timeout, httpcore.WriteTimeout)
                continue
            sent = min(len(view), up.room)
            up.send(bytes(view[:sent]))
            view = view[sent:]

    async def aclose(self) -> None:
        """Close it; the server learns of it in time."""
        if not self._closed:
            self._closed = self._ended = True
            self._connection.down.ended = True
            self._connection.up.finish(reset=False)
            self._connection.forget()
            self._wake()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether reading would not wait."""
        return bool(self._inbox or self._ended) if info == "is_readable" else None

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if not self._closed:
            self._inbox += data
            self._wake()

    def peer_ended(self, reset: bool) -> None:
        """FIN or RST has come; what came before it can still be read."""
        self._ended = True
        self._reset = reset
        self._wake()

    def room(self) -> None:
        """More can be sent."""
        self._wake()

    async def _wait(self, timeout: float | None, late: type[Exception]) -> None:
        waiter = self._waiter = self._loop.create_future()
        timer = None
        if timeout is not None:
            timer = self._loop.call_later(timeout, _expire, waiter, late)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _expire(waiter: "asyncio.Future[None]", late: type[Exception]) -> None:
    if not waiter.done():
        waiter.set_exception(late())


class ServerEnd(asyncio.Transport):
    """What uvicorn's protocol reads from and writes to."""

    def __init__(
        self,
        connection: Connection,
        loop: SimLoop,
        addresses: tuple[Address, Address],
    ) -> None:
        sockname, peername = addresses
        super().__init__({"sockname": sockname, "peername": peername})
        self._connection = connection
        self._loop = loop
        self._protocol: Any = None
        self._buffer = bytearray()
        self._inbox: list[bytes] = []
        self._closing = False
        self._lost = False
        self._reading = True
        self._eof: bool | None = None
        self._write_paused = False

    @property
    def lost(self) -> bool:
        """Whether the protocol was told of its end."""
        return self._lost

    # ---- from the network ------------------------------------------------------------

    def accept(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """A connection has come."""
        self._step(self._accept, factory)

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        self._step(self._receive, data)

    def peer_ended(self, reset: bool) -> None:
        """The client, or the way to it, is gone."""
        self._connection.down.ended = True
        self._step(self._end_of_peer, reset)

    def room(self) -> None:
        """The client has read: there is room for more."""
        self._step(self._flush)

    def _step(self, callback: Callable[..., None], *args: object) -> None:
        self._loop.call_soon(callback, *args, context=self._connection.life.context)

    # ---- steps of the server's life --------------------------------------------------

    def _accept(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self._protocol = factory()
        self._protocol.connection_made(self)

    def _receive(self, data: bytes) -> None:
        if self._closing or self._lost:
            self._connection.up.read(len(data))
        elif self._reading:
            self._connection.up.read(len(data))
            self._protocol.data_received(data)
        else:
            self._inbox.append(data)

    def _end_of_peer(self, reset: bool) -> None:
        if reset:
            self._lose(ConnectionResetError(104, "Connection reset by peer"))
        elif self._inbox:
            self._eof = reset
        elif not self._closing and not self._lost:
            keeps_open = self._protocol.eof_received()
            if not keeps_open:
                self.close()
        else:
            self._lose(None)

    def _flush(self) -> None:
        down = self._connection.down
        while self._buffer and (down.room or down.ended):
            size = min(len(self._buffer), down.room or len(self._buffer))
            down.send(bytes(self._buffer[:size]))
            del self._buffer[:size]
        if self._write_paused and len(self._buffer) <= LOW_WATER and not self._lost:
            self._write_paused = False
            self._protocol.resume_writing()
        if self._closing and not self._buffer:
            self._finish()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._buffer.clear()
            self._protocol.connection_lost(error)

    def _finish(self) -> None:
        self._connection.down.finish(reset=self._connection.rst)
        self._connection.forget()
        self._loop.call_soon(self._lose, None)

    # ---- what asyncio.Transport offers -----------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send as the window allows; the rest waits in the buffer."""
        if self._lost or self._closing or not data:
            return
        down = self._connection.down
        if not self._buffer and (down.room >= len(data) or down.ended):
            down.send(bytes(data))
            return
        self._buffer += data
        self._flush()
        if len(self._buffer) > HIGH_WATER and not self._write_paused:
            self._write_paused = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """Close when everything was sent."""
        if not self._closing:
            self._closing = True
            self._inbox.clear()
            self._flush()

    def abort(self) -> None:
        """Close now."""
        if not self._lost:
            self._closing = True
            self._buffer.clear()
            self._finish()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take what has come, and what comes."""
        if self._reading:
            return
        self._reading = True
        waiting, self._inbox = self._inbox, []
        for data in waiting:
            self._loop.call_soon(self._receive, data)
        if self._eof is not None:
            self._loop.call_soon(self._end_of_peer, self._eof)
            self._eof = None

    def is_reading(self) -> bool:
        """Whether what comes is taken."""
        return self._reading and not self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for room."""
        return len(self._buffer)

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """The marks are asyncio's own."""

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell another."""
        self._protocol = protocol

    def can_write_eof(self) -> bool:
        """Not offered."""
        return False
