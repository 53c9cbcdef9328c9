"""Faults of the target's storage, as scenarios ask for them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from harness.arm import Storage
from harness.core.errors import NotApplicable
from harness.core.fault import (
    Fate,
    Fault,
    commit_cut,
    storage_away,
    storage_full,
    storage_slow,
)
from harness.nemesis import Nemesis
from harness.reach import Reach

PATIENCE_S = 10.0
"""How long callers wait for a database in trouble: a target waits for a lock itself,
and five seconds are what drivers of SQLite do by default."""


class StorageFaults:
    """Each is kept up around a block, which has to make it show with a write."""

    def __init__(self, nemesis: Nemesis, storage: Storage, reach: Reach) -> None:
        self._nemesis = nemesis
        self._storage = storage
        self._reach = reach

    def away(self) -> AbstractAsyncContextManager[None]:
        """The database answers nobody."""
        return self._during(storage_away())

    def slow(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """The database lets whoever asks wait up to so long."""
        return self._during(storage_slow(delay_ms=round(seconds * 1_000)))

    def full(self) -> AbstractAsyncContextManager[None]:
        """The database has no room for anything new."""
        return self._during(storage_full())

    def commit_cut(self, fate: Fate) -> AbstractAsyncContextManager[None]:
        """The way to the database is cut in the middle of the block's first commit.

        The connection is gone before the answer; the commit is kept or lost, and only
        the database knows which. After the cut new connections are served.
        """
        return self._during(commit_cut(fate))

    def _during(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        if fault.kind not in self._storage.kinds:
            raise NotApplicable(
                f"this arm has no {fault.kind} for the storage that the target declares"
            )
        return self._patiently(fault)

    @asynccontextmanager
    async def _patiently(self, fault: Fault) -> AsyncIterator[None]:
        with self._reach.patient(PATIENCE_S):
            async with self._nemesis.of_storage(self._storage, fault):
                yield
