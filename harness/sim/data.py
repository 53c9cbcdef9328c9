"""The data folder of a simulated server: a real one, on memory where there is some.

A killed process leaves what it has written; what the memory of the machine holds is
not lost by that. So the files may lie in memory, which makes a commit cheap.
"""

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

PREFIX = "unbroken-sim-"
MEMORY = Path("/dev/shm")


class Data:
    """Folders of one case: `path` is what the running life has.

    At the end of a life its folder is copied as it is at that moment: what the dead
    life's objects still do when they are thrown away hits a folder that is no more.
    """

    def __init__(self) -> None:
        base = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        _sweep(base)
        self._root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
        self._stores = 0
        self._left = 0
        self.path = self._root

    def empty(self) -> None:
        """A new folder with nothing in it."""
        self._stores += 1
        self.path = self._root / f"data-{self._stores}"
        self.path.mkdir()

    def freeze(self) -> None:
        """Keep what is there now; nobody who has a file open can change it."""
        self._left += 1
        left = self._root / f"left-{self._left}"
        with suppress(FileNotFoundError):  # the target may have removed it
            self.path.rename(left)
            shutil.copytree(left, self.path, symlinks=True, ignore=_special)

    def remove(self) -> None:
        """Everything goes."""
        shutil.rmtree(self._root, ignore_errors=True)


def _special(folder: str, names: list[str]) -> list[str]:
    """Sockets and pipes, which nobody can copy."""
    kinds = [(name, (Path(folder) / name).lstat().st_mode) for name in names]
    return [name for name, mode in kinds if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)]


def _sweep(base: Path) -> None:
    """Remove what processes that are no more have left."""
    for folder in base.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            with suppress(OSError):
                shutil.rmtree(folder)
