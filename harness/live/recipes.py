"""Every recipe by which a fault is made, tried on the server that is to make it.

A fault that does not bite looks like a target that survives it, so the doctor runs
these with plain sockets at both ends before anybody's server is judged. Each tells what
it saw in the words of its expectation; a difference is the finding.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from harness.core.errors import HarnessError
from harness.live.toxiproxy import (
    Proxy,
    Toxic,
    ToxiproxyGone,
    black_hole,
    latency,
    limit_data,
    rst_after,
    rst_on_close,
    slicer,
    slow_close,
    stall,
)
from harness.live.toxiproxy_server import ToxiproxyServer

RECIPE_S = 10.0
"""Bound of one recipe; all together take about a third of a second."""

WAIT_S = 5.0
"""How long bytes or a close that must come may take."""

QUIET_S = 0.2
"""How long nothing must come to be called silence."""

DELAY_MS = 200
TEXT = b"0123456789abcdefghij"

End = Literal["open", "FIN", "RST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeResult:
    """What one recipe did; `ok` when that is what it is for."""

    name: str
    expected: str
    observed: str

    @property
    def ok(self) -> bool:
        """Whether the effect is the one that the harness counts on."""
        return self.observed == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """Both ends of one connection through a proxy."""

    proxy: Proxy
    client: socket.socket
    server: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a socket gave: its bytes, the largest single read, how it ended."""

    data: bytes
    largest: int
    end: End

    def __str__(self) -> str:
        return f"{len(self.data)} bytes, {self.end}"


Recipe = Callable[[ToxiproxyServer], Awaitable[str]]


async def self_test(server: ToxiproxyServer) -> list[RecipeResult]:
    """Run every recipe, side by side; raises `ToxiproxyGone` when the server died."""
    rows = RECIPES.items()
    runs = (_tried(recipe, server) for _, (_, recipe) in rows)
    observed = await asyncio.gather(*runs)
    return [
        RecipeResult(name=name, expected=expected, observed=seen)
        for (name, (expected, _)), seen in zip(rows, observed, strict=True)
    ]


async def _tried(recipe: Recipe, server: ToxiproxyServer) -> str:
    try:
        return await asyncio.wait_for(recipe(server), RECIPE_S)
    except ToxiproxyGone:
        raise
    except (HarnessError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def _refused(server: ToxiproxyServer) -> str:
    async with _connected(server) as ends:
        await ends.proxy.disable()
        try:
            (await _connect(ends.proxy.address)).close()
        except ConnectionRefusedError:
            return "refused"
        return "accepted"


async def _fin(server: ToxiproxyServer) -> str:
    return await _cut_by_disable(server)


async def _rst(server: ToxiproxyServer) -> str:
    return await _cut_by_disable(server, rst_on_close())


async def _cut_by_disable(server: ToxiproxyServer, *toxics: Toxic) -> str:
    async with _connected(server, *toxics) as ends:
        await _send(ends.server, TEXT)
        first = await _read(ends.client, len(TEXT))
        await ends.proxy.disable()
        return (
            f"{first}; {await _read(ends.client)}; upstream {await _read(ends.server)}"
        )


async def _rst_instead(server: ToxiproxyServer) -> str:
    async with _connected(server, rst_after(DELAY_MS)) as ends:
        started = time.monotonic()
        await _send(ends.server, TEXT)
        return f"{await _read(ends.client)}, {_late(started)}"


async def _fin_at_byte(server: ToxiproxyServer) -> str:
    return await _cut_at_byte(server, limit_data(7))


async def _rst_at_byte(server: ToxiproxyServer) -> str:
    return await _cut_at_byte(server, limit_data(7), rst_on_close())


async def _cut_at_byte(server: ToxiproxyServer, *toxics: Toxic) -> str:
    async with _connected(server, *toxics) as ends:
        await _send(ends.server, TEXT)
        return str(await _read(ends.client))


async def _cut_now(server: ToxiproxyServer) -> str:
    async with _connected(server) as ends:
        await _send(ends.server, TEXT)
        first = await _read(ends.client, len(TEXT))
        await ends.proxy.add(limit_data(3))
        await _send(ends.server, TEXT)
        return f"{first}; {await _read(ends.client)}"


async def _stalled(server: ToxiproxyServer) -> str:
    async with _connected(server) as ends:
        toxic = stall()
        await ends.proxy.add(toxic)
        await _send(ends.server, TEXT)
        quiet = await _read(ends.client, wait_s=QUIET_S)
        await ends.proxy.remove(toxic)
        return f"{quiet}; {await _read(ends.client, len(TEXT))}"


async def _delayed(server: ToxiproxyServer) -> str:
    async with _connected(server, latency(DELAY_MS)) as ends:
        started = time.monotonic()
        await _send(ends.server, TEXT)
        return f"{await _read(ends.client, len(TEXT))}, {_late(started)}"


async def _black_hole(server: ToxiproxyServer) -> str:
    both = black_hole("downstream"), black_hole("upstream")
    async with _connected(server, *both) as ends:
        await _send(ends.server, TEXT)
        await _send(ends.client, TEXT)
        quiet = await _read(ends.client, wait_s=QUIET_S)
        ends.client.close()
        return f"{quiet}; upstream {await _read(ends.server)}"


async def _lost_answer(server: ToxiproxyServer) -> str:
    async with _connected(server) as ends:
        await ends.proxy.add(black_hole("downstream"))
        await _send(ends.client, TEXT)
        request = await _read(ends.server, len(TEXT))
        await _send(ends.server, TEXT)
        return f"upstream {request}; {await _read(ends.client, wait_s=QUIET_S)}"


async def _sliced(server: ToxiproxyServer) -> str:
    async with _connected(server, slicer(5, 10_000)) as ends:
        await _send(ends.server, TEXT)
        seen = await _read(ends.client, len(TEXT))
        # Two slices may be read at once on a busy machine, the whole text never.
        return f"{seen}, {'in pieces' if seen.largest < len(TEXT) else 'whole'}"


async def _slow_close(server: ToxiproxyServer) -> str:
    async with _connected(server, slow_close(DELAY_MS)) as ends:
        started = time.monotonic()
        await _send(ends.server, TEXT)
        ends.server.close()
        return f"{await _read(ends.client)}, {_late(started)}"


RECIPES: dict[str, tuple[str, Recipe]] = {
    "refused": ("refused", _refused),
    "FIN in mid-stream": ("20 bytes, open; 0 bytes, FIN; upstream 0 bytes, FIN", _fin),
    "RST in mid-stream": ("20 bytes, open; 0 bytes, RST; upstream 0 bytes, RST", _rst),
    "RST instead of an answer": ("0 bytes, RST, late", _rst_instead),
    "FIN at byte k": ("7 bytes, FIN", _fin_at_byte),
    "RST at byte k": ("7 bytes, RST", _rst_at_byte),
    "cut in mid-stream, k more": ("20 bytes, open; 3 bytes, FIN", _cut_now),
    "stall, nothing lost": ("0 bytes, open; 20 bytes, open", _stalled),
    "late, nothing lost": ("20 bytes, open, late", _delayed),
    "black hole": ("0 bytes, open; upstream 0 bytes, FIN", _black_hole),
    "lost answer": ("upstream 20 bytes, open; 0 bytes, open", _lost_answer),
    "small packets": ("20 bytes, open, in pieces", _sliced),
    "slow close": ("20 bytes, FIN, late", _slow_close),
}
"""Name, expected effect and the function that observes it."""


@asynccontextmanager
async def _connected(server: ToxiproxyServer, *toxics: Toxic) -> AsyncIterator[_Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        proxy = await server.open_proxy(upstream=listener.getsockname(), toxics=toxics)
        try:
            client = await _connect(proxy.address)
            with client:
                accepting = asyncio.get_running_loop().sock_accept(listener)
                accepted, _ = await asyncio.wait_for(accepting, WAIT_S)
                with accepted:
                    yield _Ends(proxy=proxy, client=client, server=accepted)
        finally:
            await proxy.delete()


async def _connect(address: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, address)
    except BaseException:
        client.close()
        raise
    return client


async def _send(sender: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sender, data)


async def _read(
    receiver: socket.socket, enough: int | None = None, *, wait_s: float = WAIT_S
) -> _Seen:
    """Read until `enough` bytes, the end, or nothing for `wait_s`."""
    data, largest, loop = b"", 0, asyncio.get_running_loop()
    while enough is None or len(data) < enough:
        try:
            chunk = await asyncio.wait_for(loop.sock_recv(receiver, 65536), wait_s)
        except TimeoutError:
            break
        except ConnectionResetError:
            return _Seen(data=data, largest=largest, end="RST")
        if not chunk:
            return _Seen(data=data, largest=largest, end="FIN")
        data, largest = data + chunk, max(largest, len(chunk))
    return _Seen(data=data, largest=largest, end="open")


def _late(started: float) -> str:
    waited_s = time.monotonic() - started
    return "late" if waited_s >= DELAY_MS / 1000 else f"early: {waited_s:.3f} s"
