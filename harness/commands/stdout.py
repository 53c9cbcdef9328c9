"""Standard streams as they may be: of which nobody reads the rest, or not there."""

import os
import sys
from typing import Any, TextIO


class Stdout:
    """As the stream, but what cannot be written does not end what writes it.

    What then follows goes nowhere. A reader that has gone wants no more, and the exit
    status still tells the verdict; of anything else `trouble` is the reason.
    """

    def __init__(self, stream: TextIO) -> None:
        self.trouble = ""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._hush(error)
            return len(text)

    def flush(self) -> None:
        """As `TextIO.flush`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._hush(error)

    def _hush(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.trouble = error.strerror or str(error)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def outlive_reader() -> None:
    """Let this process's output be such a stream."""
    if sys.stdout is not None and not isinstance(sys.stdout, Stdout):
        sys.stdout = Stdout(sys.stdout)


def unwritten() -> str:
    """Why not all could be written that somebody wanted to read; "" if it was."""
    if not isinstance(sys.stdout, Stdout):
        return ""
    sys.stdout.flush()
    return sys.stdout.trouble


def open_streams() -> None:
    """Let no other file have the number of one that was closed before us, as by `<&-`.

    A child would be given that file for its stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
