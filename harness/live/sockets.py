"""Real sockets, as httpcore's streams."""

import httpcore

CONNECT_S = 5.0

_tcp = httpcore.AnyIOBackend()


async def dial(
    address: tuple[str, int], timeout: float | None = None
) -> httpcore.AsyncNetworkStream:
    """Connect a socket; raises httpcore's errors."""
    return await _tcp.connect_tcp(*address, timeout=timeout or CONNECT_S)
