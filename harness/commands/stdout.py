"""Standard streams as they may be: of which nobody reads the rest, or not there."""

import os
import sys
from typing import Any, TextIO


class Stdout:
    """As the stream, but its reader's end does not end what is written for it.

    What then follows goes nowhere; the exit status still tells the verdict.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._hush()
            return len(text)

    def flush(self) -> None:
        """As `TextIO.flush`."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._hush()

    def _hush(self) -> None:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def outlive_reader() -> None:
    """Let this process's output be such a stream."""
    if not isinstance(sys.stdout, Stdout):
        sys.stdout = Stdout(sys.stdout)


def open_streams() -> None:
    """Let no other file have the number of one that was closed before us, as by `<&-`.

    A child would be given that file for its stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
