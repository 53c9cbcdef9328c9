"""Keeps users within the rate limit of personal profiles."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

BETWEEN_S = 1.02
"""Protocol section 3: one message a second from a uid; clocks may be coarse."""


class Pace:
    """Makes the posts of each uid take turns, each a second after the one before."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._done_s: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, uid: str) -> AsyncIterator[None]:
        """Wait for a turn around a post; a post counts from its answer on."""
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(uid, asyncio.Lock()):
            if uid in self._done_s:
                await asyncio.sleep(self._done_s[uid] + BETWEEN_S - loop.time())
            try:
                yield
            finally:
                self.spent(uid)

    def spent(self, uid: str) -> None:
        """What may count as a post was answered: the next waits for its turn."""
        self._done_s[uid] = asyncio.get_running_loop().time()
