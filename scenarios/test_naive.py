"""Without ids every error costs the whole state; then a client waits for the server."""

import pytest

from harness.arm import How
from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import NAIVE, judges


@pytest.mark.parametrize("how", list(How))
@judges("converge", "event/no-loss", "write/durable", profiles=NAIVE)
async def test_server_down_for_long(world: World, how: How) -> None:
    """Many tries go by before the server is back; then everybody has everything."""
    alice = await world.client("alice")
    bob = await world.client("bob")
    await world.seen(await world.write(), alice, bob)
    await world.stop(how)
    await world.passes(30 * world.retry_ms / 1_000)
    await world.start()
    await world.write()
    await world.live(alice, bob)
    await world.seen(await world.write(), alice, bob)


@judges(
    "converge",
    "event/no-loss",
    "event/no-duplicate",
    "reset/fresh-never",
    profiles=NAIVE,
)
async def test_clients_start_anew_while_others_write(world: World) -> None:
    """Snapshot and stream of a fresh start fit together, whatever is written."""
    alice = await world.client("alice")
    async with world.writing(60, writers=2):
        for _ in range(4):
            await world.inject(cut(alice))
            await world.live(alice)
    await world.seen(await world.write(), alice)
