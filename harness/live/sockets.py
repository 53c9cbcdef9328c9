"""Real sockets, as httpcore's streams."""

import asyncio
import socket

import httpcore

CONNECT_S = 5.0

_tcp = httpcore.AnyIOBackend()


async def dial(
    address: tuple[str, int], timeout: float | None = None
) -> httpcore.AsyncNetworkStream:
    """Connect a socket; raises httpcore's errors."""
    return await _tcp.connect_tcp(*address, timeout=timeout or CONNECT_S)


async def accepts(address: tuple[str, int]) -> bool:
    """Whether a connection is taken; to be told so by httpx costs much more."""
    with socket.socket() as probe:
        probe.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(probe, address)
        except OSError:
            return False
    return True
