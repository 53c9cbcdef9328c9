"""What the target prints and logs, in a file of the case."""

import logging
import traceback
from collections import deque
from pathlib import Path
from typing import Any

from harness.sim.life import LIFE, Life

MAX_CHARACTERS = 1 << 20
"""Nobody reads more, and a flood must not fill the disk."""

TAIL_LINES = 20


class Log(logging.Handler):
    """Appends to a file; also a handler of the target's log records."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.WARNING)
        self._path = path
        self._written = 0
        self._last: deque[str] = deque(maxlen=TAIL_LINES)

    def write(self, text: str) -> None:
        """Append text, up to a bound."""
        self._last.extend(text.splitlines())
        if self._written < MAX_CHARACTERS:
            self._written += len(text)
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)

    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    def emit(self, record: logging.LogRecord) -> None:
        """A log record; those of the harness are not ours."""
        if LIFE.get() is not None:
            self.write(self.format(record) + "\n")

    def on_error(self, life: Life | None, context: dict[str, Any]) -> None:
        """What a loop reports: an error that nobody caught."""
        message = str(context.get("message", ""))
        error = context.get("exception")
        if life is None:
            logging.getLogger("asyncio").error(message, exc_info=error)
            return
        lines = traceback.format_exception(error) if error is not None else []
        self.write(f"{message}\n{''.join(lines)}")
