"""Straight connections whose faults are made at the client's own socket.

toxiproxy reads on where a client would not, and a proxy for each of many clients is
dear. Here the client itself stops reading, closes, resets, or goes silent.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpcore

from harness.arm import Bare
from harness.core.errors import HarnessError
from harness.core.fault import REFUSING, Close, Fault, FaultKind
from harness.live.proxied import Address
from harness.live.sockets import CONNECT_S

NARROW_BYTES = 4_096
NARROW_SEGMENT = 1_024
"""So much the kernel buffers for a narrow reader; the segment's size bounds the
sender's own buffer, which grows by segments."""

HOLDING = (FaultKind.STALL, FaultKind.BLACK_HOLE, FaultKind.PARTITION)
SWALLOWING = (FaultKind.BLACK_HOLE, FaultKind.PARTITION)
REFUSED = "All connection attempts failed"


class BareConnections:
    """Makes passages (`link.Prepare`)."""

    def __init__(
        self, address: Callable[[], Address], close: Close, bare: Bare
    ) -> None:
        self._address = address
        self._close = close
        self._bare = bare

    async def __call__(
        self, purpose: str, faults: list[Fault], *, cut_after: int
    ) -> "BarePassage":
        """A connection with these faults."""
        if cut_after:
            raise HarnessError("a bare connection cannot be cut at a byte")
        rst = purpose == "streams" and self._close is Close.RST
        made = BarePassage(purpose, self._address(), rst=rst, bare=self._bare)
        for fault in faults:
            await made.poison(fault)
        return made


class BarePassage:
    """One connection, with the faults that hold it."""

    def __init__(
        self, purpose: str, address: Address, *, rst: bool, bare: Bare
    ) -> None:
        self.purpose = purpose
        self.faults: list[Fault] = []
        self._address = address
        self._rst = rst
        self._bare = bare
        self._stream: BareStream | None = None

    async def poison(self, fault: Fault) -> None:
        """It counts from now on."""
        if fault.kind not in (*HOLDING, *REFUSING):
            raise HarnessError(f"{fault.says()}: a bare connection cannot do it")
        if fault not in self.faults:
            self.faults.append(fault)
        self._hold()

    async def cure(self, fault: Fault) -> None:
        """It counts no more."""
        del fault
        self._hold()

    async def limit(self, after_bytes: int) -> None:
        """Only a proxy can do that."""
        raise HarnessError(f"a bare connection cannot be cut after {after_bytes} bytes")

    async def end(self) -> None:
        """Cut it: both ends learn of it."""
        if self._stream is not None:
            self._stream.cut(reset=self._rst)

    async def connect(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        """Connect; raises httpcore's errors."""
        if any(fault.kind in REFUSING for fault in self.faults):
            raise httpcore.ConnectError(REFUSED)
        connected = await _connected(self._address, self._bare, timeout or CONNECT_S)
        self._stream = BareStream(connected)
        self._hold()
        return self._stream

    def _hold(self) -> None:
        if self._stream is not None:
            kinds = {fault.kind for fault in self.faults}
            self._stream.hold(
                held=not kinds.isdisjoint(HOLDING),
                deaf=not kinds.isdisjoint(SWALLOWING),
            )


async def _connected(address: Address, bare: Bare, timeout: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
            for family, kind, protocol, _, place in found:
                made = socket.socket(family, kind, protocol)
                try:
                    made.setblocking(False)
                    _shape(made, bare)
                    await loop.sock_connect(made, place)
                except OSError:
                    made.close()
                    continue
                except BaseException:
                    made.close()
                    raise
                return made
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    raise httpcore.ConnectError(REFUSED)


def _shape(made: socket.socket, bare: Bare) -> None:
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if bare is Bare.NARROW:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        with suppress(OSError):  # where the system does not let us choose
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)


class BareStream(httpcore.AsyncNetworkStream):
    """A socket that takes its bytes only when it is read, and not while it is held."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._held = self._deaf = self._closed = False
        self._reset: bool | None = None
        self._waiter: asyncio.Future[None] | None = None

    def hold(self, *, held: bool, deaf: bool) -> None:
        """While `held` nothing is read, while `deaf` nothing is sent either."""
        self._held, self._deaf = held, deaf
        self._wake()

    def cut(self, *, reset: bool) -> None:
        """Close it under its reader, who sees FIN or RST."""
        if not self._closed:
            self._reset = reset
            self._close()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come; b"" at the end."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if (data := self._take(max_bytes)) is not None:
                        return data
                    await self._readable()
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        if self._closed:
            raise httpcore.WriteError("")
        if self._deaf:
            return
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_sendall(self._socket, buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close it."""
        self._close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether reading would not wait."""
        return self._is_readable() if info == "is_readable" else None

    def _take(self, max_bytes: int) -> bytes | None:
        """What is there now; None when that is nothing."""
        if self._closed:
            if self._reset:
                raise httpcore.ReadError("")
            return b""
        if self._held:
            return None
        try:
            return self._socket.recv(max_bytes)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        if not self._held:
            loop.add_reader(self._socket, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if not self._closed:
                loop.remove_reader(self._socket)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._reset:
            linger = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()
        self._wake()

    def _is_readable(self) -> bool:
        if self._closed:
            return True
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True
