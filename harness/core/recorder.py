"""Writes a history while a case runs: one file, one append-only list in memory."""

from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from harness.core.codec import encode
from harness.core.errors import HarnessError
from harness.core.history import AnyRecord, Header, History, Record

R = TypeVar("R", bound=Record)


class Recorder:
    """Numbers and times records; each line is on its way to disk when `add` returns.

    `now` gives seconds since the case began. Raises `HarnessError` when the file
    cannot be written: a history with holes would be worse than none.
    """

    def __init__(self, path: Path, header: Header, now: Callable[[], float]) -> None:
        self.path = path
        self.header = header
        self.now = now
        self.records: list[AnyRecord] = []
        self.on_add: Callable[[], None] = _nothing
        self._connections = 0
        self._broken: HarnessError | None = None
        self._file = self._open()
        self._write(encode(header))

    def add(self, kind: Callable[..., R], /, **fields: Any) -> R:
        """Append one record with its index and time."""
        record = kind(n=len(self.records) + 1, t_s=round(self.now(), 6), **fields)
        self.records.append(record)  # type: ignore[arg-type]  # R is one of AnyRecord
        self._write(encode(record))  # type: ignore[arg-type]  # as above
        self.on_add()
        return record

    def next_connection(self) -> int:
        """A number for a new connection, from 1."""
        self._connections += 1
        return self._connections

    def history(self) -> History:
        """What was recorded so far."""
        return History(header=self.header, records=tuple(self.records))

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def _open(self) -> FileIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self.path.open("wb", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, line: bytes) -> None:
        if self._broken is not None:
            raise self._broken
        try:
            while line:  # a disk that fills up may take a part of it
                line = line[self._file.write(line) :]
        except OSError as error:
            self._broken = self._unwritable(error)
            self.close()
            raise self._broken from error

    def _unwritable(self, error: OSError) -> HarnessError:
        return HarnessError(
            f"history {self.path} cannot be written: {error.strerror}; free some "
            "space or choose another folder with --out"
        )


def _nothing() -> None:
    return None
