"""Many clients at once, as scenarios of load ask for them (`World.crowds`)."""

import asyncio

from harness.arm import Bare
from harness.client.client import Start
from harness.core.fault import Close
from harness.core.profile import USER
from harness.people import People
from harness.reach import Reach
from harness.sent import Sent
from harness.swarm import Crowd, Swarm
from harness.waiter import WAIT_S, Waiter

EACH_S = 0.05
"""How much longer a crowd may take for each of its clients."""


class Crowds:
    """Opens swarms and waits for them; their connections are bare ones."""

    def __init__(self, people: People, reach: Reach, waiter: Waiter) -> None:
        self._people = people
        self._reach = reach
        self._waiter = waiter

    async def open(self, name: str, size: int, *, close: Close = Close.FIN) -> Swarm:
        """Open so many tabs of one user at once, and wait for all."""
        await self._people.witnessed(USER)
        members = [
            self._people.make(
                f"{name}-{number}",
                label=USER,
                start=Start.SNAPSHOT_FIRST,
                close=close,
                bare=Bare.WIDE,
            )
            for number in range(1, size + 1)
        ]
        made = Crowd(members)
        made.open()
        await self.live(made)
        return made

    async def live(self, swarm: Swarm) -> None:
        """Wait until all of a swarm have stream and snapshot."""
        size = len(swarm.members)
        await self._waiter.until(
            lambda: swarm.live, f"{size} clients live", within_s=_within_s(swarm)
        )

    async def seen(self, sent: Sent, swarm: Swarm) -> None:
        """Wait until this write reached all of a swarm."""
        what = f"{sent.says()} seen by {len(swarm.members)} clients"
        await self._waiter.until(
            lambda: swarm.knows(sent), what, within_s=_within_s(swarm)
        )

    async def hang(self, swarm: Swarm) -> None:
        """Their streams are all that is left of them; nobody pings for those."""
        swarm.mute()
        await self._hang_up(swarm)

    async def leave(self, swarm: Swarm) -> None:
        """Close these tabs, and every connection of theirs."""
        await swarm.close()
        await self._hang_up(swarm)

    async def _hang_up(self, swarm: Swarm) -> None:
        names = [one.name for one in swarm.members]
        await asyncio.gather(*(self._reach.hang_up(name) for name in names))


def _within_s(swarm: Swarm) -> float:
    return WAIT_S + len(swarm.members) * EACH_S
