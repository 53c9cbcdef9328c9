"""Makes a process find no room on the disk, from outside and without privileges.

`PRAGMA max_page_count` holds for one connection only, and a small file system needs an
administrator. The limit on the size of files (RLIMIT_FSIZE) can be set for any process
of the same user, while it runs: past it a write fails with EFBIG, and SQLite gives up
its commit. It holds for every file that the process writes, as a full disk does.
"""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from harness.core.errors import CouldNotRun, NotApplicable

ROOM_BYTES = 4_096
"""Less than any commit needs: not even one page of a journal fits."""


def can_limit() -> bool:
    """Whether this system lets us set the limits of another process."""
    return sys.platform.startswith("linux") and hasattr(resource, "prlimit")


class FileLimit:
    """Room for the processes of a target: taken away, given back."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, int]] = {}

    def take(self, leader: int) -> None:
        """Let the target, `leader` and what it has started, write no file any further.

        Raises `NotApplicable` when one of them would die of it instead.
        """
        pids = list(_family(leader))
        if not pids:
            raise CouldNotRun(f"process {leader} of the target is gone")
        for pid in pids:
            _must_survive(pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                self._before[pid] = before
                limit = (ROOM_BYTES, before[1])
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)

    def give_back(self) -> None:
        """As it was before."""
        while self._before:
            pid, before = self._before.popitem()
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def _family(leader: int) -> Iterator[int]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(leader)
        yield from (one.pid for one in [process, *process.children(recursive=True)])


def _must_survive(pid: int) -> None:
    """The kernel sends SIGXFSZ too, which is deadly unless ignored or caught."""
    with suppress(FileNotFoundError):
        status = Path(f"/proc/{pid}/status").read_text()
        bit = 1 << (signal.SIGXFSZ - 1)
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        masks = (int(lines[name], 16) for name in ("SigIgn", "SigCgt"))
        if not any(mask & bit for mask in masks):
            raise NotApplicable(
                f"process {pid} of the target dies of SIGXFSZ, with which this arm "
                "makes its disk full; programs in Python ignore it"
            )
