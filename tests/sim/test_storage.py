"""SQLite in a simulated process: refused, late or full as the live arm makes it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.arm import How
from harness.core.errors import CouldNotRun
from harness.core.fault import Fault, storage_away, storage_full, storage_slow
from harness.sim.disk import Disk
from harness.sim.storage import SimStorage
from tests.sim.bench import ANSWER, Bench, hosted

BANK = f"""{ANSWER}
import asyncio, os, pathlib, sqlite3, time

HERE = pathlib.Path(os.environ["DATA"])
FILE = HERE / "chat.db"

class Own(sqlite3.Connection):
    pass

class OwnCursor(sqlite3.Cursor):
    pass

def opened(**options):
    return sqlite3.connect(FILE, timeout=2.0, **options)

def made():
    with opened() as it:
        it.execute("PRAGMA journal_mode=WAL")
        it.execute("CREATE TABLE t (n)")

def implicit():
    it = opened()
    try:
        it.execute("INSERT INTO t VALUES (1)")
        it.commit()
        it.execute("SELECT 1")
    finally:
        it.close()

def block():
    with opened() as it:
        it.executemany("INSERT INTO t VALUES (?)", [(1,)])

def automatic():
    opened(isolation_level=None).execute("INSERT INTO t VALUES (1)")

def explicit():
    it = opened(isolation_level=None)
    it.execute("BEGIN")
    it.execute("INSERT INTO t VALUES (1)")
    it.execute("COMMIT")

def script():
    opened().executescript("INSERT INTO t VALUES (1);")

def own_classes():
    it = sqlite3.connect(FILE, 2.0, 0, "", True, Own)
    assert isinstance(it, Own)
    cursor = it.cursor(OwnCursor)
    assert isinstance(cursor, OwnCursor)
    cursor.execute("INSERT INTO t VALUES (1)")
    it.commit()

def by_uri():
    it = sqlite3.connect(f"file:{{FILE}}?mode=rw", timeout=2.0, uri=True)
    it.execute("INSERT INTO t VALUES (1)")
    it.commit()

def patient():
    it = opened()
    it.execute("PRAGMA busy_timeout = 700")
    it.execute("INSERT INTO t VALUES (1)")
    it.commit()

def count():
    return opened().execute("SELECT count(*) FROM t").fetchone()[0]

def nothing():
    it = opened()
    it.execute("BEGIN")
    it.rollback()

def elsewhere():
    for place in (":memory:", HERE / "other.db"):
        it = sqlite3.connect(place)
        it.execute("CREATE TABLE IF NOT EXISTS t (n)")
        it.execute("INSERT INTO t VALUES (1)")
        it.commit()

still_open = []

def stays_open():
    it = opened()
    it.execute("INSERT INTO t VALUES (1)")
    still_open.append(it)

def ends():
    still_open.pop().commit()

async def handle(scope, receive, send):
    began = time.monotonic()
    try:
        said = await asyncio.to_thread(globals()[scope["path"][1:]])
    except sqlite3.Error as error:
        said = f"{{error}} {{error.sqlite_errorname}}"
    await answer(send, f"{{said}} {{time.monotonic() - began:.1f}}")

async def startup():
    if not FILE.exists():
        made()

app = serves(handle, startup)
"""
DATA = {"DATA": "{data}"}
WRITES = ("implicit", "block", "automatic", "explicit", "own_classes", "by_uri")
LOCKED = "database is locked SQLITE_BUSY 2.0"
FULL = "database or disk is full SQLITE_FULL 0.0"
Play = Callable[["Bank"], Coroutine[Any, Any, Any]]


class Bank:
    """The program above, and the faults of its database."""

    def __init__(self, bench: Bench) -> None:
        assert Disk.current is not None
        path = str(bench.server.data / "chat.db")
        self.bench = bench
        self.storage = SimStorage(Disk.current, lambda: path)
        self.held = 0

    async def does(self, *names: str) -> list[str]:
        return [await self.bench.get(f"/{name}") for name in names]

    @asynccontextmanager
    async def under(self, fault: Fault) -> Any:
        await self.storage.begin(fault, self._hold)
        try:
            yield
        finally:
            await self.storage.end(fault)

    def _hold(self) -> None:
        self.held += 1


def played(folder: Path, play: Play) -> Any:
    async def main(bench: Bench) -> Any:
        await bench.server.start()
        return await play(Bank(bench))

    return hosted(folder, BANK, main, env=DATA)


def test_without_a_fault(tmp_path: Path) -> None:
    async def play(bank: Bank) -> list[str]:
        return await bank.does(*WRITES, "script", "patient", "count")

    assert played(tmp_path, play) == ["None 0.0"] * 8 + ["8 0.0"]


def test_away(tmp_path: Path) -> None:
    async def play(bank: Bank) -> list[str]:
        async with bank.under(storage_away()):
            told = await bank.does(*WRITES, "script", "count")
            assert await bank.does("patient") == [LOCKED.replace("2.0", "0.7")]
            assert await bank.does("nothing", "elsewhere") == ["None 0.0"] * 2
        assert bank.held == 1
        return told + await bank.does("count", "implicit")

    assert played(tmp_path, play) == [LOCKED] * 8 + ["0 0.0", "None 0.0"]


def test_full(tmp_path: Path) -> None:
    async def play(bank: Bank) -> list[str]:
        await bank.does("implicit")
        async with bank.under(storage_full()):
            told = await bank.does(*WRITES, "script", "count", "elsewhere", "nothing")
        return told + await bank.does("count", "implicit", "count")

    read = ["1 0.0", "None 0.0", "None 0.0"]
    after = ["1 0.0", "None 0.0", "2 0.0"]
    assert played(tmp_path, play) == [FULL] * 7 + read + after


def test_slow(tmp_path: Path) -> None:
    async def play(bank: Bank) -> list[str]:
        async with bank.under(storage_slow(delay_ms=400)):
            told = await bank.does("block", "automatic", "count", "patient")
        async with bank.under(storage_slow(delay_ms=3_000)):
            told += await bank.does("block", "patient")
        return told

    late, locked = "None 0.4", "database is locked SQLITE_BUSY"
    in_vain = [f"{locked} 2.0", f"{locked} 0.7"]
    assert played(tmp_path, play) == [late, late, "2 0.4", late, *in_vain]


def test_fault_waits_for_a_transaction_that_is_open(tmp_path: Path) -> None:
    async def play(bank: Bank) -> float:
        clock = asyncio.get_running_loop().time
        await bank.does("stays_open")
        began_s = clock()
        ending = asyncio.create_task(_later(bank))
        async with bank.under(storage_away()):
            took_s = clock() - began_s
        await ending
        return took_s

    async def _later(bank: Bank) -> None:
        await asyncio.sleep(1)
        await bank.does("ends")

    assert 1 < played(tmp_path, play) < 1.1


def test_transaction_that_does_not_end(tmp_path: Path) -> None:
    async def play(bank: Bank) -> None:
        await bank.does("stays_open")
        with pytest.raises(CouldNotRun, match="stayed open"):
            await bank.storage.begin(storage_away(), bank._hold)
        assert bank.held == 0

    played(tmp_path, play)


def test_next_life_finds_the_fault_too(tmp_path: Path) -> None:
    async def play(bank: Bank) -> list[str]:
        await bank.does("stays_open")
        await bank.bench.server.stop(How.KILL)
        async with bank.under(storage_away()):
            await bank.bench.server.start()
            return await bank.does("implicit")

    assert played(tmp_path, play) == [LOCKED]
