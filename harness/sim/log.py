"""What the target prints and logs, in a file of the case."""

import logging
import traceback
from collections import deque
from pathlib import Path
from typing import Any

from harness.sim.life import LIFE, Life

MAX_CHARACTERS = 1 << 20
"""Nobody reads more, and a flood must not fill the disk."""

TRACEBACK = "traceback.txt"
"""Where errors of the harness go, beside the log (harness.case)."""

TAIL_LINES = 20
MAX_LINE = 1_000


class Log(logging.Handler):
    """Appends to a file; also a handler of the target's log records."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.WARNING)
        self._path = path
        self._written = 0
        self._last: deque[str] = deque(maxlen=TAIL_LINES)
        self._line = ""

    def write(self, text: str) -> None:
        """Append text, up to a bound."""
        *lines, self._line = (self._line + text[:MAX_CHARACTERS]).split("\n")
        self._last.extend(line[:MAX_LINE] for line in lines)
        self._line = self._line[:MAX_LINE]
        text = text[: MAX_CHARACTERS - self._written]
        if text:
            self._written += len(text)
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)

    def tail(self) -> str:
        """The last lines."""
        return "\n".join([*self._last, self._line]).strip("\n")

    def emit(self, record: logging.LogRecord) -> None:
        """A log record; those of the harness are not ours."""
        if LIFE.get() is not None:
            self.write(self.format(record) + "\n")

    def on_error(self, life: Life | None, context: dict[str, Any]) -> None:
        """What a loop reports: an error that nobody caught, of a life or of ours."""
        message = str(context.get("message", ""))
        error = context.get("exception")
        lines = traceback.format_exception(error) if error is not None else []
        if life is None:
            with self._path.with_name(TRACEBACK).open("a", errors="replace") as file:
                file.write(f"{message}\n{''.join(lines)}")
            return
        self.write(f"{message}\n{''.join(lines)}")
