"""Behind a real nginx: client, toxiproxy, nginx, server; the witness goes directly."""

import msgspec
import pytest

from harness.arm import How
from harness.client.client import VirtualClient
from harness.core.nginx import HttpVersion, Nginx
from harness.world import World
from scenarios.requirements import LIVE, judges

pytestmark = pytest.mark.waits(6)  # they wait for its timeouts

SPARE_S = 1.0
"""Nginx waits so much longer than a keep-alive may take, where idling is short."""

SETTINGS = {
    "as-it-comes": Nginx(),  # buffers what does not forbid it, speaks HTTP/1.0
    "unbuffered": Nginx(buffering=False, upstream_http=HttpVersion.HTTP_1_1),
    "gzip": Nginx(gzip=True),
}


@pytest.mark.waits(4)
@pytest.mark.limits(keepalive_ms=500)
@pytest.mark.parametrize("nginx", SETTINGS.values(), ids=SETTINGS)
@judges("stream/survives-idle-proxy", arms=LIVE)
async def test_quiet_stream_behind_nginx(world: World, nginx: Nginx) -> None:
    """An idle stream outlives the read timeout of nginx, and then delivers at once."""
    keepalive_s = world.limits.keepalive_ms / 1_000
    promised_s = keepalive_s + world.tolerances.keepalive_ms / 1_000
    nginx = msgspec.structs.replace(nginx, read_timeout_s=promised_s + SPARE_S)
    alice = await behind(world, nginx)
    # Three keep-alives, and after them as long a silence as nginx bears.
    await world.passes(3.5 * keepalive_s + nginx.read_timeout_s)
    await world.seen(await world.write(), alice)


@pytest.mark.nightly
@judges("stream/survives-idle-proxy", arms=LIVE)
async def test_quiet_minute_behind_nginx(world: World) -> None:
    """The same with the read timeout of every nginx that nobody has configured."""
    nginx = Nginx()
    alice = await behind(world, nginx)
    await world.passes(1.05 * nginx.read_timeout_s)
    await world.seen(await world.write(), alice)


@judges("resume/within-log", "event/no-loss", arms=LIVE)
async def test_closed_lid_before_nginx(world: World) -> None:
    """Cursor and replay pass through nginx as they are."""
    alice = await behind(world, Nginx())
    async with world.away(alice):
        missed = await world.write_many(5)
    await world.seen(missed[-1], alice)
    await world.seen(await world.write(), alice)


@judges("resume/no-needless-reset", "event/no-loss", "event/order", arms=LIVE)
async def test_nginx_reloads_under_streams(world: World) -> None:
    """The old worker keeps its streams until its time is up; nothing is lost."""
    nginx = await world.middlebox(Nginx(shutdown_timeout_s=1.0))
    alice = await world.client("alice", behind=nginx)
    await world.seen(await world.write(), alice)
    async with nginx.reloaded():
        bob = await world.client("bob", behind=nginx)
        for _ in range(20):
            await world.passes(0.1)
            await world.write()
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges("resume/no-needless-reset", "event/no-loss", arms=LIVE)
async def test_nginx_itself_restarts(world: World) -> None:
    """Streams lost with nginx are resumed through the next one."""
    nginx = await world.middlebox(Nginx())
    alice = await world.client("alice", behind=nginx)
    await world.seen(await world.write(), alice)
    await nginx.restart()
    await world.live(alice)
    await world.seen(await world.write(), alice)


@pytest.mark.parametrize("upstream_http", list(HttpVersion))
@judges("reset/restart", "reset/once", arms=LIVE)
async def test_server_restarts_behind_nginx(
    world: World, upstream_http: HttpVersion
) -> None:
    """A 502 kills the EventSource; the application makes another, which is reset."""
    alice = await behind(world, Nginx(upstream_http=upstream_http))
    async with world.away(alice):
        await world.write()
        await world.stop(How.KILL)
    await world.until(
        lambda: alice.attempt is not None and alice.attempt.status == 502,
        "alice is answered 502",
    )
    await world.start()
    await world.live(alice)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(), alice)


async def behind(world: World, nginx: Nginx) -> VirtualClient:
    """A client behind a middlebox, who has seen an event."""
    alice = await world.client("alice", behind=await world.middlebox(nginx))
    await world.seen(await world.write(), alice)
    return alice
