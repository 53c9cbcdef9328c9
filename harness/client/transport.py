"""httpx over any httpcore network backend: the seam between the two arms."""

import sys
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import httpcore
import httpx

if "sniffio" not in sys.modules and find_spec("sniffio") is None:
    # httpcore tries to import it at every lock, and searches every path in vain.
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # known as missing

KEEPALIVE_EXPIRY_S = 2.0
"""Shorter than any server's own idle limit, so that no request meets a closing one."""


@lru_cache(maxsize=1_024)
def url_of(path: str) -> httpx.URL:
    """The URL of a path; where connections go the backend decides, whatever the host.

    Kept, since httpx takes longer to read a URL than to send it. Raises
    `httpx.InvalidURL`.
    """
    return httpx.URL(f"http://localhost/{path.lstrip('/')}")


Dial = Callable[[float | None], Awaitable[httpcore.AsyncNetworkStream]]


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


class BackendTransport(httpx.AsyncBaseTransport):
    """Requests go through a pool whose sockets come from `backend`.

    Each connection attempt asks the backend, which is where faults live. The pool has
    no limits: a virtual client may hold any number of streams.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=backend,
            max_connections=None,
            max_keepalive_connections=None,
            keepalive_expiry=KEEPALIVE_EXPIRY_S,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; errors come as httpx's."""
        with _as_httpx_errors():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(response.stream, AsyncIterable)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every pooled connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


_ERRORS: tuple[type[Exception], ...] = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        # httpx names its exceptions as httpcore does.
        kind = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
