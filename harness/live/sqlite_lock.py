"""Locks an SQLite database from outside, so that its user can neither read nor write.

With a rollback journal `BEGIN EXCLUSIVE` does that. With a write-ahead log it keeps
only writers out, and the locks that would keep readers out make them try for ten
seconds, whatever their busy timeout, and end in "locking protocol" (SQLite 3.40). So
this does what a process does that recovers the log after a crash: it holds the locks
and leaves the index of the log without a valid header. Whoever reads or writes then
finds a recovery under way, waits as long as its busy timeout says, and is told that the
database is locked. The header is put back before the locks go; should we die first,
the next reader finds it invalid and recovers the log in earnest, which loses nothing.

Source: the WAL-index format, https://www.sqlite.org/walformat.html, section 2.
"""

import fcntl
import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

_WAL_VERSION = b"\x02\x02"
"""Bytes 18 and 19 of a database with a write-ahead log."""

_HEADER = 96
"""Bytes of the index's header, which is there twice; its format is version 3007000."""

_FORMAT = 3_007_000
_LOCKS, _LOCK_COUNT = 120, 8
"""The lock bytes of the index: writer, checkpointer, recovery, five readers."""


class SqliteLock:
    """Keeps everybody else out of one database between `take` and `release`.

    While it exists it keeps a connection of its own, so that the index of the log does
    not go with the target's last one.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._has_log = file.read(20)[18:] == _WAL_VERSION
        self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        self._index = -1
        self._header = b""
        try:
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchall()
            if self._has_log:
                self._index = os.open(f"{path}-shm", os.O_RDWR)
            self._connection.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            self._connection.close()
            raise

    def take(self) -> bool:
        """Try to take it; False when somebody reads or writes at this moment."""
        return self._take_log() if self._has_log else self._take_file()

    def release(self) -> None:
        """Let the others in again."""
        if not self._has_log:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        elif self._header:
            os.pwrite(self._index, self._header, 0)
            self._header = b""
            fcntl.lockf(self._index, fcntl.LOCK_UN, _LOCK_COUNT, _LOCKS)

    def close(self) -> None:
        """Release it for good."""
        self.release()
        if self._index >= 0:
            os.close(self._index)
        self._connection.close()

    def _take_file(self) -> bool:
        with suppress(sqlite3.OperationalError):
            self._connection.execute("BEGIN EXCLUSIVE")
        return self._connection.in_transaction

    def _take_log(self) -> bool:
        try:
            kind = fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(self._index, kind, _LOCK_COUNT, _LOCKS)
        except OSError:
            return False
        header = os.pread(self._index, _HEADER, 0)
        if not _is_whole(header):
            fcntl.lockf(self._index, fcntl.LOCK_UN, _LOCK_COUNT, _LOCKS)
            return False
        self._header = header
        os.pwrite(self._index, bytes(_HEADER), 0)
        return True


def _is_whole(header: bytes) -> bool:
    """Whether this is a header that we know, and not one that is being written."""
    half = _HEADER // 2
    version = int.from_bytes(header[:4], sys.byteorder)
    return version == _FORMAT and header[:half] == header[half:]
