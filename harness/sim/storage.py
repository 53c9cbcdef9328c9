"""Faults of the simulated server's database (harness.arm.Storage)."""

import asyncio
from collections.abc import Callable

from harness.core.errors import CouldNotRun
from harness.core.fault import Fault, FaultKind
from harness.sim.disk import Disk

POLL_S = 0.001
CALM_S = 5.0
"""How long a transaction that is open may keep a fault waiting."""


class SimStorage:
    """SQLite only: a file below the server's data folder, found by `path`."""

    kinds = frozenset(
        (FaultKind.STORAGE_AWAY, FaultKind.STORAGE_SLOW, FaultKind.STORAGE_FULL)
    )

    def __init__(self, disk: Disk, path: Callable[[], str]) -> None:
        self._disk = disk
        self._path = path

    async def begin(self, fault: Fault, held: Callable[[], object]) -> None:
        """From now on every connection of the target suffers from it.

        As a lock from outside has to, it waits for transactions that are open.
        """
        self._disk.path = self._path()
        deadline_s = asyncio.get_running_loop().time() + CALM_S
        while fault.kind is not FaultKind.STORAGE_FULL and self._disk.busy():
            if asyncio.get_running_loop().time() > deadline_s:
                raise CouldNotRun(f"a transaction stayed open for {CALM_S:g} s")
            await asyncio.sleep(POLL_S)
        self._disk.fault = fault
        held()

    async def end(self, fault: Fault) -> None:
        """The disk is well again."""
        del fault
        self._disk.fault = None
