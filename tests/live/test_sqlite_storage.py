"""An SQLite database under another process's feet: locked, slow, without room."""

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from harness.core.errors import CouldNotRun, NotApplicable
from harness.core.fault import FaultKind, storage_away, storage_full, storage_slow
from harness.live import sqlite_storage
from harness.live.file_limit import FileLimit
from harness.live.sqlite_lock import SqliteLock
from harness.live.sqlite_storage import SqliteStorage

pytestmark = pytest.mark.anyio

PATIENCE_S = 0.3
PROGRAM = f"""
import sqlite3, sys
it = sqlite3.connect(sys.argv[1], timeout={PATIENCE_S}, isolation_level=None)
it.execute("PRAGMA journal_mode=" + sys.argv[2])
it.execute("CREATE TABLE IF NOT EXISTS t (n)")
print("ready", flush=True)
for line in sys.stdin:
    at = it if line[0] != "+" else sqlite3.connect(sys.argv[1], timeout={PATIENCE_S})
    try:
        said = at.execute(line.lstrip("+")).fetchall()
        if at is not it:
            at.commit()
    except sqlite3.Error as error:
        said = error
    print(said, flush=True)
"""
INSERT = "INSERT INTO t VALUES (1)"
COUNT = "SELECT count(*) FROM t"
LOCKED = "database is locked"
HOLDER = """
import sys, time
from pathlib import Path
from harness.live.sqlite_lock import SqliteLock
print(SqliteLock(Path(sys.argv[1])).take(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class User:
    """Another process with a connection to the database that stays open."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        command = [sys.executable, "-c", PROGRAM, str(path), mode]
        self.popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._said() == "ready"

    def asks(self, sql: str) -> str:
        """Its answer to a statement; with a + it opens a connection for it."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(sql + "\n")
        self.popen.stdin.flush()
        return self._said()

    async def asks_later(self, sql: str) -> str:
        return await asyncio.to_thread(self.asks, sql)

    def _said(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.communicate()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    lock = SqliteLock(path)
    assert lock.take()
    try:
        yield
    finally:
        lock.close()


def integrity(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "TRUNCATE"])
def test_nobody_reads_or_writes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "chat.db"
    with User(path, mode) as user:
        assert user.asks(INSERT) == "[]"
        with locked(path):
            for sql in (INSERT, COUNT, f"+{COUNT}", "BEGIN IMMEDIATE"):
                began_s = time.monotonic()
                assert user.asks(sql) == LOCKED
                assert time.monotonic() - began_s >= PATIENCE_S * 0.9
        assert user.asks(INSERT) == "[]"
        assert user.asks(f"+{COUNT}") == user.asks(COUNT) == "[(2,)]"
        assert integrity(path) == "ok"


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_lock_of_a_harness_that_was_killed(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "chat.db"
    with User(path, mode) as user:
        user.asks(INSERT)
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "True\n"
            assert user.asks(COUNT) == LOCKED
            holder.kill()
        assert user.asks(INSERT) == "[]"
        assert user.asks(COUNT) == "[(2,)]"
        assert integrity(path) == "ok"


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_transaction_is_waited_for(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "chat.db"
    with User(path, mode) as user:
        user.asks("BEGIN IMMEDIATE")
        user.asks(INSERT)
        lock = SqliteLock(path)
        taken = lock.take()
        user.asks("COMMIT")
        taken_later = lock.take()
        lock.close()
        assert (taken, taken_later) == (False, True)
        assert user.asks(COUNT) == "[(1,)]"


@contextmanager
def storage_of(user: User) -> Iterator[SqliteStorage]:
    yield SqliteStorage(lambda: user.path, lambda: user.popen.pid)


async def test_away(tmp_path: Path) -> None:
    with User(tmp_path / "chat.db", "WAL") as user, storage_of(user) as storage:
        held: list[None] = []
        await storage.begin(storage_away(), lambda: held.append(None))
        assert await user.asks_later(INSERT) == LOCKED
        await storage.end(storage_away())
        assert held == [None]
        assert user.asks(INSERT) == "[]"


async def test_slow(tmp_path: Path) -> None:
    """Everybody waits, nobody is refused: the lock is held for half the patience."""
    slow = storage_slow(delay_ms=round(PATIENCE_S * 500))
    with User(tmp_path / "chat.db", "WAL") as user, storage_of(user) as storage:
        await storage.begin(slow, lambda: None)
        took_s = []
        for _ in range(6):
            began_s = time.monotonic()
            said = await user.asks_later(INSERT)
            took_s.append(time.monotonic() - began_s)
            assert said in ("[]", LOCKED)  # on a busy machine a lock lasts longer
        await storage.end(slow)
        assert max(took_s) >= PATIENCE_S / 4
        assert user.asks(INSERT) == "[]"


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
async def test_full(tmp_path: Path, mode: str) -> None:
    with User(tmp_path / "chat.db", mode) as user, storage_of(user) as storage:
        assert FaultKind.STORAGE_FULL in storage.kinds
        user.asks(INSERT)
        limits = resource.prlimit(user.popen.pid, resource.RLIMIT_FSIZE)
        await storage.begin(storage_full(), lambda: None)
        for sql in (INSERT, "UPDATE t SET n = 2", "DELETE FROM t", f"+{INSERT}"):
            assert user.asks(sql) in ("disk I/O error", "database or disk is full")
        assert user.asks(COUNT) == "[(1,)]"
        await storage.end(storage_full())
        assert resource.prlimit(user.popen.pid, resource.RLIMIT_FSIZE) == limits
        assert user.asks(INSERT) == "[]"
        assert user.asks(COUNT) == "[(2,)]"


def test_full_is_not_for_who_would_die_of_it() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            with pytest.raises(NotApplicable, match="dies of SIGXFSZ"):
                FileLimit().take(sleeper.pid)
        finally:
            sleeper.send_signal(signal.SIGKILL)
    with pytest.raises(CouldNotRun, match="is gone"):
        FileLimit().take(sleeper.pid)


async def test_full_without_a_process(tmp_path: Path) -> None:
    storage = SqliteStorage(lambda: tmp_path / "chat.db", lambda: None)
    with pytest.raises(CouldNotRun, match="does not run"):
        await storage.begin(storage_full(), lambda: None)
    await storage.end(storage_full())


@pytest.mark.parametrize("content", [None, b"a text, and no database " * 99])
async def test_no_database_where_it_was_declared(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "chat.db"
    if content is not None:
        path.write_bytes(content)
    storage = SqliteStorage(lambda: path, lambda: None)
    with pytest.raises(CouldNotRun, match="cannot be locked"):
        await storage.begin(storage_away(), lambda: None)
    await storage.end(storage_away())


async def test_transaction_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_storage, "TAKE_S", 0.1)
    with User(tmp_path / "chat.db", "WAL") as user, storage_of(user) as storage:
        user.asks("BEGIN")
        user.asks(COUNT)
        with pytest.raises(CouldNotRun, match="a transaction stays open"):
            await storage.begin(storage_away(), lambda: None)
        await storage.end(storage_away())
        assert user.asks(INSERT) == "[]"
