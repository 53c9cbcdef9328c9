"""The order of a write: commit, caches and log, fan-out, answer; one at a time.

A commit that failed may have happened: its answer was lost, not the commit. So every
failed write leaves a debt, to be paid before the next one: ask the database whether it
is there, and if it is, let it take effect now, event and all. Until then its caller has
a 5xx, which promises nothing. A background task pays when no write comes, so that
caches and database are never apart for long. Reading the caches at the start is the
first debt, paid in the same way once a database that was away is back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from reference_server.changes import Change
from reference_server.core.validation import Refused
from reference_server.database import StoreUnavailableError

TURN_TIMEOUT_S = 10.0
SETTLE_EVERY_S = 0.2

Made = TypeVar("Made")
Answer = TypeVar("Answer")
Debt = Callable[[], Awaitable[None]]


class Writes:
    """The lock that makes commit order the order of everything, and its debts."""

    def __init__(self, load: Debt) -> None:
        self._lock = asyncio.Lock()
        self._debt: Debt | None = load
        self._owing = asyncio.Event()
        self._owing.set()
        self._unpaid_s = 0.0
        self._closed = False

    @property
    def is_settled(self) -> bool:
        """Caches and database are known to agree."""
        return self._debt is None

    @property
    def is_idle(self) -> bool:
        """And they do now: nothing is committed that is not applied."""
        return self.is_settled and not self._lock.locked()

    async def run(self, step: Callable[[], Awaitable[Answer]]) -> Answer:
        """Carry out `step` when its turn comes.

        Shielded: a cancelled request must not leave a commit without its event.
        """
        return await asyncio.shield(self._run(step))

    async def _run(self, step: Callable[[], Awaitable[Answer]]) -> Answer:
        async with self.turn():
            return await step()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """No write is under way and no debt is open; 503 when that takes too long.

        Who has waited while the debt could not be paid does not try again: else a
        queue of writers would wait for a silent database one after the other.
        """
        came_s = _now_s()
        await self._acquire()
        try:
            if self._closed:
                raise Refused(503, "closing", "the server is going down")
            if came_s < self._unpaid_s and not self.is_settled:
                raise StoreUnavailableError("it could not be asked a moment ago")
            await self.settle()
            yield
        finally:
            self._lock.release()

    async def _acquire(self) -> None:
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._lock.acquire()
        except TimeoutError:
            message = f"busy for {TURN_TIMEOUT_S} s with other writes"
            raise StoreUnavailableError(message) from None

    async def make(self, change: Change[Made, Answer]) -> Answer:
        """Commit and apply; only within a turn."""
        try:
            made = await asyncio.to_thread(change.commit)
        except StoreUnavailableError:
            self._debt = partial(self._find_out, change)
            self._owing.set()
            raise
        return change.apply(made)

    async def _find_out(self, change: Change[Made, Answer]) -> None:
        made = await asyncio.to_thread(change.outcome)
        if made is not None:
            change.apply(made)

    async def settle(self) -> None:
        """Pay the debt; within a turn."""
        if self._debt is None:
            return
        try:
            await self._debt()
        except StoreUnavailableError:
            self._unpaid_s = _now_s()
            raise
        self._debt = None
        self._owing.clear()

    async def open(self) -> None:
        """Pay the first debt; raises when the database is away."""
        async with self.turn():
            pass

    async def keep_settled(self) -> None:
        """The background task."""
        while True:
            await self._owing.wait()
            await asyncio.sleep(SETTLE_EVERY_S)
            with suppress(StoreUnavailableError, Refused):
                await self.open()

    async def close(self) -> None:
        """Let the write that runs finish; the waiting ones are refused."""
        self._closed = True
        async with self._lock:
            pass


def _now_s() -> float:
    return asyncio.get_running_loop().time()
