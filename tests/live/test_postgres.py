"""A PostgreSQL of our own and its faults, as a plain connection sees them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from harness.core.errors import CouldNotRun
from harness.core.fault import (
    Fate,
    Fault,
    commit_cut,
    storage_away,
    storage_full,
    storage_slow,
)
from harness.live import postgres_programs
from harness.live.postgres_programs import find_programs
from harness.live.postgres_server import PREFIX, PostgresServer, _sweep
from harness.live.postgres_storage import PostgresStorage
from harness.live.toxiproxy_binary import find_or_build
from harness.live.toxiproxy_server import ToxiproxyServer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

CREATE = "CREATE TABLE messages (id integer PRIMARY KEY, text text)"
INSERT = "INSERT INTO messages VALUES (%s, 'x')"
LATE_S = 0.4


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    try:
        find_programs()
    except CouldNotRun as error:
        pytest.skip(str(error))


class Target:
    """A program with a database behind the proxy, and one connection to it."""

    def __init__(self, storage: PostgresStorage, url: str) -> None:
        self.storage = storage
        self.url = url
        self.held: list[float] = []
        self._connection: Any = None

    async def connected(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                f"postgresql://{self.url}", connect_timeout=5
            )
        return self._connection

    async def insert(self, number: int) -> str:
        """ "" when it was committed, else what the driver raised."""
        try:
            connection = await self.connected()
            async with connection.transaction():
                await connection.execute(INSERT, [number])
        except psycopg.Error as error:
            return type(error).__name__
        return ""

    async def stored(self) -> set[int]:
        connection = await self.connected()
        found = await connection.execute("SELECT id FROM messages")
        stored = {number for (number,) in await found.fetchall()}
        await connection.rollback()
        return stored

    @asynccontextmanager
    async def under(self, fault: Fault) -> AsyncIterator[None]:
        clock = asyncio.get_running_loop().time
        await self.storage.begin(fault, lambda: self.held.append(clock()))
        try:
            yield
        finally:
            await self.storage.end(fault)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[PostgresServer, Target]]:
    server = await PostgresServer.start(folder / "postgres.log")
    toxiproxy = await ToxiproxyServer.start(find_or_build(print), folder)
    storage = PostgresStorage(server, toxiproxy, "chat")
    try:
        target = Target(storage, (await storage.provide(1))["postgres"])
        connection = await target.connected()
        await connection.execute(CREATE)
        await connection.commit()
        yield server, target
        await (await target.connected()).close()
        await storage.aclose()
    finally:
        await toxiproxy.stop()
        await server.stop()


def left() -> set[str]:
    """Folders and processes of clusters of ours."""
    processes = {
        pid
        for pid in os.listdir("/proc")
        if pid.isdecimal() and PREFIX.encode() in _command(pid)
    }
    folders = {str(one) for one in Path("/tmp").glob(f"{PREFIX}{os.getpid()}-*")}
    return processes | folders


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_faults(tmp_path: Path) -> None:
    """One server for all of them: making one takes seconds."""
    before = left()
    async with running(tmp_path) as (server, target):
        assert await target.insert(1) == ""

        async with target.under(storage_away()):
            assert await target.insert(2) == "OperationalError"
            assert await target.insert(3) == "OperationalError"
        assert await target.insert(4) == ""
        assert await target.stored() == {1, 4}

        clock = asyncio.get_running_loop().time
        async with target.under(storage_slow(delay_ms=round(LATE_S * 1_000))):
            began_s = clock()
            assert await target.insert(5) == ""
            assert clock() - began_s > LATE_S / 2

        async with target.under(storage_full()):
            assert await target.insert(6) == "DiskFull"
            assert await target.stored() == {1, 4, 5}
        assert await target.insert(7) == ""

        async with target.under(commit_cut(Fate.KEPT)):
            assert await target.insert(8) == "OperationalError"
        assert await target.stored() == {1, 4, 5, 7, 8}

        async with target.under(commit_cut(Fate.LOST)):
            assert await target.insert(9) == "OperationalError"
        assert await target.stored() == {1, 4, 5, 7, 8}
        assert await target.insert(10) == ""
        assert len(target.held) == 5

        await leaves_nothing_behind(server, target)
        another = (await target.storage.provide(2))["postgres"]
        assert another != target.url
        assert another.partition("@")[0] == target.url.partition("@")[0]
    assert left() == before


async def leaves_nothing_behind(server: PostgresServer, target: Target) -> None:
    """No trigger, function or lock of ours is in the database any more."""
    database = target.url.rpartition("/")[2]
    async with await server.admin(database) as admin:
        for query in (
            "SELECT 1 FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT 1 FROM pg_namespace WHERE nspname = 'unbroken'",
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'",
        ):
            assert await (await admin.execute(query)).fetchall() == []


async def test_commit_that_never_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.live.postgres_storage.CAUGHT_S", 0.05)
    async with running(tmp_path) as (_, target):
        async with target.under(commit_cut(Fate.KEPT)):
            await asyncio.sleep(0)
        assert target.held == []
        assert await target.insert(1) == ""


async def test_database_without_a_table(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, target):
        await target.storage.provide(2)
        with pytest.raises(CouldNotRun, match="has made no table"):
            await target.storage.begin(storage_full(), lambda: None)
        await target.storage.end(storage_full())


HARNESS = """
import asyncio, sys
from pathlib import Path
from harness.live.postgres_server import PostgresServer
async def main():
    server = await PostgresServer.start(Path(sys.argv[1]))
    async with await server.admin() as admin:
        print(server._popen.pid, flush=True)
        await admin.execute("SELECT pg_sleep(600)")
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_of_a_killed_harness_runs_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Its folder stays, until another harness finds it."""
    command = [sys.executable, "-c", HARNESS, str(tmp_path / "postgres.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        server = harness.stdout.readline().strip()
        children = psutil.Process(int(server)).children(recursive=True)
        assert len(children) > 3
        harness.send_signal(number)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert len(gone) == len(children)
    assert not psutil.pid_exists(int(server)) or not _command(server)
    (left_over,) = Path("/tmp").glob(f"{PREFIX}{harness.pid}-*")
    segment = (left_over / "data" / "postmaster.pid").read_text().split()[-2]
    assert segment in segments()
    _sweep(Path("/tmp"))
    assert not left_over.exists()
    assert segment not in segments()


def segments() -> list[str]:
    """Ids of the machine's System V shared memory."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [line.split()[1] for line in lines]


def test_postgres_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_programs, "PLACES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CouldNotRun, match="apt-get install postgresql"):
        find_programs()


def test_folders_of_the_dead_are_swept(tmp_path: Path) -> None:
    dead, mine, other = (
        tmp_path / f"{PREFIX}{name}-x" for name in ("999999999", os.getpid(), "who")
    )
    for folder in (dead, mine, other):
        folder.mkdir()
    _sweep(tmp_path)
    assert [one.exists() for one in (dead, mine, other)] == [False, True, True]
