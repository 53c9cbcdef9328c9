"""The real toxiproxy does what the recipes promise, and its silence is noticed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.core.errors import CouldNotRun, HarnessError
from harness.live import toxiproxy, toxiproxy_server
from harness.live.recipes import RECIPES, self_test
from harness.live.toxiproxy import (
    Toxic,
    ToxiproxyGone,
    bandwidth,
    black_hole,
    latency,
    limit_data,
    rst_after,
    slicer,
    slow_close,
    stall,
)
from harness.live.toxiproxy_binary import find_or_build
from harness.live.toxiproxy_server import ToxiproxyServer
from tests.live.test_process import freeze

# The first test may have to build the server.
pytestmark = pytest.mark.timeout(600)

NOBODY = ("127.0.0.1", 1)

Body = Callable[[ToxiproxyServer], Awaitable[None]]


@pytest.fixture(scope="module")
def binary() -> Path:
    return find_or_build(print)


@asynccontextmanager
async def running(binary: Path, folder: Path) -> AsyncIterator[ToxiproxyServer]:
    server = await ToxiproxyServer.start(binary, folder)
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
def with_server(binary: Path, tmp_path: Path) -> Callable[[Body], None]:
    """Run a coroutine function against a fresh server."""

    async def run(body: Body) -> None:
        async with running(binary, tmp_path) as server:
            await body(server)

    return lambda body: asyncio.run(run(body))


def proxies_of(server: ToxiproxyServer) -> dict[str, object]:
    """List the proxies, less the one that marks the server as ours."""
    listed = server._api.get("/proxies")
    return {name: p for name, p in listed.items() if not name.startswith("ours-")}


def test_every_recipe_has_its_effect(with_server: Callable[[Body], None]) -> None:
    async def body(server: ToxiproxyServer) -> None:
        results = await self_test(server)
        assert [result for result in results if not result.ok] == []
        assert len(results) == len(RECIPES)
        assert proxies_of(server) == {}

    with_server(body)


def test_recipe_that_does_not_bite_is_told(
    with_server: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.live.recipes.latency", lambda _: latency(1))

    async def body(server: ToxiproxyServer) -> None:
        failed = {r.name: r.observed for r in await self_test(server) if not r.ok}
        assert list(failed) == ["late, nothing lost"]
        assert "early" in failed["late, nothing lost"]

    with_server(body)


@pytest.mark.parametrize(
    ("toxic", "reason"),
    [
        (Toxic(type="latency", attributes={"latncy": 5}), "latncy"),
        (Toxic(type="no-such", attributes={}), "invalid toxic type"),
        (Toxic(type="latency", attributes={"latency": 2**70}), "cannot unmarshal"),
    ],
)
def test_what_the_server_does_not_echo_is_refused(
    toxic: Toxic, reason: str, with_server: Callable[[Body], None]
) -> None:
    async def body(server: ToxiproxyServer) -> None:
        with pytest.raises(HarnessError, match=reason):
            await server.open_proxy(upstream=NOBODY, toxics=[toxic])
        assert proxies_of(server) == {}  # no half-made proxy stays

    with_server(body)


@pytest.mark.parametrize(
    "make",
    [
        lambda: latency(0),
        lambda: latency(-1),
        lambda: bandwidth(0),
        lambda: slicer(0, 0),
        lambda: slicer(5, -1),
        lambda: limit_data(0),
        lambda: rst_after(0),
        lambda: slow_close(-5),
        lambda: Toxic(type="latency", attributes={"latency": -1}),
        lambda: Toxic(type="latency", attributes={"latency": True}),
        lambda: Toxic(type="latency", attributes={"latency": 1, "jitter": 1}),
        lambda: Toxic(type="latency", attributes={"latency": 1}, toxicity=7.0),
        lambda: Toxic(type="latency", attributes={"latency": 1}, toxicity=0.5),
    ],
)
def test_nonsense_is_refused_before_it_is_sent(make: Callable[[], Toxic]) -> None:
    with pytest.raises(HarnessError):
        make()


def test_toxic_that_loses_bytes_is_never_removed(
    with_server: Callable[[Body], None],
) -> None:
    async def body(server: ToxiproxyServer) -> None:
        hole = black_hole("upstream")
        proxy = await server.open_proxy(upstream=NOBODY, toxics=[hole, stall()])
        with pytest.raises(HarnessError, match="never remove"):
            await proxy.remove(hole)
        await proxy.remove(stall())
        with pytest.raises(HarnessError, match="toxic not found"):
            await proxy.remove(stall())
        with pytest.raises(HarnessError, match="already exists"):
            await proxy.add(hole)

    with_server(body)


def test_port_stays_over_a_disable(
    with_server: Callable[[Body], None],
) -> None:
    async def body(server: ToxiproxyServer) -> None:
        proxy = await server.open_proxy(upstream=NOBODY)
        socket.create_connection(proxy.address, timeout=5).close()
        await proxy.disable()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(proxy.address, timeout=5)
        await proxy.enable()
        socket.create_connection(proxy.address, timeout=5).close()
        await proxy.delete()
        await proxy.delete()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(proxy.address, timeout=5)

    with_server(body)


def test_many_proxies_at_once(with_server: Callable[[Body], None]) -> None:
    async def body(server: ToxiproxyServer) -> None:
        opening = (server.open_proxy(upstream=NOBODY) for _ in range(50))
        proxies = await asyncio.gather(*opening)
        assert len({proxy.address for proxy in proxies}) == 50
        await asyncio.gather(*(proxy.delete() for proxy in proxies))
        assert proxies_of(server) == {}

    with_server(body)


def test_dead_server_is_gone(with_server: Callable[[Body], None]) -> None:
    async def body(server: ToxiproxyServer) -> None:
        proxy = await server.open_proxy(upstream=NOBODY)
        alive = [server.alive]
        os.kill(server._popen.pid, signal.SIGKILL)
        server._popen.wait(timeout=5)
        assert [*alive, server.alive] == [True, False]
        for call in (proxy.add(stall()), proxy.disable(), proxy.delete()):
            with pytest.raises(ToxiproxyGone, match="exited with -9"):
                await call
        with pytest.raises(ToxiproxyGone):
            await server.open_proxy(upstream=NOBODY)
        with pytest.raises(ToxiproxyGone):
            await self_test(server)

    with_server(body)


def test_hanging_server_is_gone(
    with_server: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(server: ToxiproxyServer) -> None:
        monkeypatch.setattr(toxiproxy, "TIMEOUT_S", 0.2)
        freeze(server._popen.pid)
        with pytest.raises(ToxiproxyGone, match="hangs"):
            await server.open_proxy(upstream=NOBODY)
        assert not server.alive

    with_server(body)


def test_port_of_an_older_server_is_not_taken_for_ours(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_port = toxiproxy_server._free_port

    async def body() -> None:
        async with running(binary, tmp_path) as older:
            ports = [older.port]
            monkeypatch.setattr(
                toxiproxy_server,
                "_free_port",
                lambda: ports.pop() if ports else free_port(),
            )
            async with running(binary, tmp_path) as ours:
                assert ours.port != older.port
                await ours.open_proxy(upstream=NOBODY)
                assert proxies_of(older) == {}
                await older.open_proxy(upstream=NOBODY)
                assert len(proxies_of(older)) == len(proxies_of(ours)) == 1

    asyncio.run(body())


def test_one_port_for_two_that_start_at_once(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two workers may be given it, that write to one folder: each has its own."""
    free_port = toxiproxy_server._free_port
    ports = [free_port()] * 2
    monkeypatch.setattr(
        toxiproxy_server, "_free_port", lambda: ports.pop() if ports else free_port()
    )

    async def body() -> None:
        starting = (ToxiproxyServer.start(binary, tmp_path) for _ in range(2))
        one, other = await asyncio.gather(*starting)
        try:
            assert one.port != other.port
            for server in (one, other):
                await server.open_proxy(upstream=NOBODY)
                assert len(proxies_of(server)) == 1
        finally:
            await asyncio.gather(one.stop(), other.stop())

    asyncio.run(body())


def test_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no luck\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(CouldNotRun, match="no luck"):
        asyncio.run(ToxiproxyServer.start(broken, tmp_path))


def test_proxy_settings_are_not_for_our_own_child(
    with_server: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    async def body(server: ToxiproxyServer) -> None:
        await (await server.open_proxy(upstream=NOBODY)).delete()

    with_server(body)
