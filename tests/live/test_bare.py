"""Bare connections: what a client's own socket does to it, and to the server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpcore
import pytest

from harness.arm import Bare
from harness.core.errors import HarnessError
from harness.core.fault import Close, Fault, FaultKind
from harness.link import FaultyLink
from harness.live.bare import BareConnections

FEW_BYTES = 200_000
"""What a narrow reader leaves room for; a wide one's buffers take megabytes."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


@dataclass
class Ends:
    """A link with one stream open, and the server's end of it."""

    link: FaultyLink
    stream: httpcore.AsyncNetworkStream
    server: socket.socket

    async def says(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.server, data)

    async def hears(self) -> bytes:
        """What comes to the server; b"" for FIN."""
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.server, 100), 5)

    async def quiet(self) -> bool:
        """Whether the client's end gives nothing."""
        try:
            await self.stream.read(100, timeout=0.1)
        except httpcore.ReadTimeout:
            return True
        return False


@asynccontextmanager
async def connected(
    close: Close = Close.FIN, bare: Bare = Bare.WIDE
) -> AsyncIterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        link = FaultyLink(BareConnections(lambda: address, close, bare), close)
        stream = await link.streams.connect_tcp("ignored", 0, timeout=5)
        loop = asyncio.get_running_loop()
        server, _ = await asyncio.wait_for(loop.sock_accept(listener), 5)
        with server:
            server.setblocking(False)
            yield Ends(link, stream, server)
            await link.aclose()


async def test_bytes_go_both_ways() -> None:
    async with connected() as ends:
        await ends.stream.write(b"ask")
        assert await ends.hears() == b"ask"
        assert not ends.stream.get_extra_info("is_readable")
        await ends.says(b"answer")
        assert await ends.stream.read(100, timeout=5) == b"answer"
        await ends.stream.aclose()
        assert await ends.hears() == b""


async def test_the_servers_end() -> None:
    async with connected() as ends:
        ends.server.close()
        assert await ends.stream.read(100, timeout=5) == b""
        assert ends.stream.get_extra_info("is_readable")


@pytest.mark.parametrize("close", list(Close))
async def test_a_cut_under_the_reader(close: Close) -> None:
    async with connected(close) as ends:
        reading = asyncio.create_task(ends.stream.read(100))
        await asyncio.sleep(0)
        await ends.link.apply(Fault(kind=FaultKind.CUT, close=close))
        if close is Close.FIN:
            assert await reading == b""
            assert await ends.hears() == b""
        else:
            with pytest.raises(httpcore.ReadError):
                await reading
            with pytest.raises(ConnectionResetError):
                await ends.hears()


async def test_a_stall_loses_nothing() -> None:
    stall = Fault(kind=FaultKind.STALL)
    async with connected() as ends:
        await ends.link.apply(stall)
        await ends.says(b"waits")
        assert await ends.quiet()
        await ends.link.heal(stall)
        assert await ends.stream.read(100, timeout=5) == b"waits"


@pytest.mark.parametrize(
    ("bare", "few"), [(Bare.NARROW, True), (Bare.WIDE, False)], ids=str
)
async def test_a_narrow_reader_is_soon_felt(bare: Bare, few: bool) -> None:
    async with connected(bare=bare) as ends:
        await ends.link.apply(Fault(kind=FaultKind.STALL))
        taken = 0
        while taken < 5 * FEW_BYTES:
            try:
                taken += ends.server.send(b"x" * 7_000)
            except BlockingIOError:
                break
        assert (taken < FEW_BYTES) is few


async def test_a_partition_swallows_and_refuses() -> None:
    partition = Fault(kind=FaultKind.PARTITION)
    async with connected() as ends:
        await ends.link.apply(partition)
        await ends.stream.write(b"lost")
        await ends.says(b"lost")
        assert await ends.quiet()
        with pytest.raises(httpcore.ConnectError):
            await ends.link.calls.connect_tcp("ignored", 0)
        await ends.link.heal(partition)
        assert await ends.stream.read(100, timeout=5) == b""
        with suppress(ConnectionResetError):  # what it had not read went with it
            assert await ends.hears() == b""


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    link = FaultyLink(BareConnections(lambda: address, Close.FIN, Bare.WIDE), Close.FIN)
    with pytest.raises(httpcore.ConnectError):
        await link.streams.connect_tcp("ignored", 0)


async def test_what_only_a_proxy_can_do() -> None:
    async with connected() as ends:
        for fault in (
            Fault(kind=FaultKind.LATENCY, delay_ms=5),
            Fault(kind=FaultKind.CUT, after_bytes=5),
        ):
            with pytest.raises(HarnessError, match="bare connection"):
                await ends.link.apply(fault)
