"""httpcore's network backend and stream over sockets that we choose."""

import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

CONNECT_S = 5.0

Dial = Callable[[float | None], Awaitable[httpcore.AsyncNetworkStream]]

_tcp = httpcore.AnyIOBackend()


async def dial(
    address: tuple[str, int], timeout: float | None = None
) -> httpcore.AsyncNetworkStream:
    """Connect a socket; raises httpcore's errors."""
    return await _tcp.connect_tcp(*address, timeout=timeout or CONNECT_S)


class DialBackend(httpcore.AsyncNetworkBackend):
    """Connects by `dial`, whatever host a URL names."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A new connection to the server under test."""
        del host, port, local_address, socket_options
        return await self._dial(timeout)


class ClosingStream(httpcore.AsyncNetworkStream):
    """A socket that says when it is closed."""

    def __init__(
        self,
        inner: httpcore.AsyncNetworkStream,
        on_close: Callable[[], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._on_close = on_close

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes` bytes; b"" at the end."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the socket, then tell."""
        try:
            await self._inner.aclose()
        finally:
            await self._on_close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Targets speak plain HTTP (harness.core.target)."""
        raise NotImplementedError

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a socket, such as `is_readable`."""
        return self._inner.get_extra_info(info)
