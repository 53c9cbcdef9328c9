"""Many clients that come and go together, and the seam for other kinds of them.

Here each is a whole virtual client. What scenarios of load need of them is little
(`Swarm`), so that a faster kind, which keeps no view, can take their place.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from harness.client.client import VirtualClient
from harness.core.fault import Named
from harness.sent import Sent


class Swarm(Protocol):
    """Clients of one kind; `members` name them, for faults."""

    @property
    def members(self) -> Sequence[Named]: ...

    @property
    def live(self) -> bool:
        """Whether each of them has its stream and its snapshot."""

    def open(self) -> None:
        """Connect all at once; those that were closed go on from their cursors."""

    def knows(self, sent: Sent) -> bool:
        """Whether a write has reached each of them."""

    def mute(self) -> None:
        """Let them hang: they ping no more."""

    async def close(self) -> None:
        """Hang up, all at once."""


class Crowd:
    """A swarm of virtual clients."""

    def __init__(self, members: Sequence[VirtualClient]) -> None:
        self.members = tuple(members)

    @property
    def live(self) -> bool:
        """See `Swarm`."""
        return all(one.live for one in self.members)

    def open(self) -> None:
        """See `Swarm`."""
        for one in self.members:
            one.open()

    def knows(self, sent: Sent) -> bool:
        """See `Swarm`."""
        return all(one.knows(sent.event, sent.id, sent.text) for one in self.members)

    def mute(self) -> None:
        """See `Swarm`."""
        for one in self.members:
            one.mute()

    async def close(self) -> None:
        """See `Swarm`."""
        await asyncio.gather(*(one.close() for one in self.members))
