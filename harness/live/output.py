"""What a target prints: kept in a file of bounded size."""

import threading
from pathlib import Path

LIMIT_BYTES = 4 << 20
KEEP_BYTES = 64 << 10
TAIL_LINES = 12
LOOK_S = 0.05
"""How often the size is looked at: a loud target writes megabytes in that time."""


class OutputFile:
    """The target appends to `path`; past the bound only its last part is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Keep the bound from now on, also while the event loop is busy or late."""
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._keep_bound, daemon=True)
            self._thread.start()

    def unwatch(self) -> None:
        """Nobody writes any more."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _keep_bound(self) -> None:
        while not self._over.wait(LOOK_S):
            self.bound()
        self.bound()

    def bound(self) -> None:
        """Cut the file down when it has grown past its bound."""
        if not self.path.exists() or self.path.stat().st_size <= LIMIT_BYTES:
            return
        last = self._last(KEEP_BYTES)
        with self.path.open("ab") as file:
            file.truncate(0)
            file.write(b"[earlier output was dropped]\n" + last)

    def tail(self) -> str:
        """The last lines, for messages."""
        if not self.path.exists():
            return ""
        text = self._last(4_096).decode("utf-8", "backslashreplace")
        return "\n".join(text.splitlines()[-TAIL_LINES:])

    def _last(self, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - size))
            return file.read(size)  # and no more: the target may be writing still
