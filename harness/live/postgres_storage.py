"""Faults of a PostgreSQL that the target reaches through a proxy (harness.arm.Storage).

Away and slow are faults of the way there. A full disk and a commit that is caught are
triggers on the target's tables, put there by a superuser as long as the fault lasts:
both act when a transaction commits, as the disk of SQLite does.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from harness.core.errors import CouldNotRun
from harness.core.fault import OF_STORAGE, Fate, Fault, FaultKind
from harness.live.ports import HOST, Lease, lease_port
from harness.live.postgres_server import PostgresServer
from harness.live.toxiproxy import Proxy, Toxic, latency
from harness.live.toxiproxy_server import ToxiproxyServer

if TYPE_CHECKING:
    import psycopg

ROUND_TRIPS = 4
"""What a write costs: is the connection alive, begin, insert, commit."""

POLL_S = 0.005
CAUGHT_S = 6.0
"""How long a commit is waited for once the block is over."""

ROLE = "unbroken_target"
LOCK = 20_260
"""Key of the advisory lock that a caught commit waits for."""

_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
_FUNCTIONS = f"""
    CREATE SCHEMA IF NOT EXISTS unbroken;
    CREATE OR REPLACE FUNCTION unbroken.full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device'
            USING ERRCODE = 'disk_full';
    END $$;
    CREATE OR REPLACE FUNCTION unbroken.wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({LOCK});
        RETURN NULL;
    END $$;
"""
_WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND wait_event = 'advisory'
"""


class PostgresStorage:
    """One database for each data folder of a case, all behind one proxy."""

    kinds = frozenset(OF_STORAGE)

    def __init__(
        self, server: PostgresServer, toxiproxy: ToxiproxyServer, name: str
    ) -> None:
        self._server = server
        self._toxiproxy = toxiproxy
        self._name = f"{name}_{secrets.token_hex(4)}"  # one server, many cases
        self._database = ""
        self._databases: list[str] = []
        self._lease: Lease | None = None
        self._proxy: Proxy | None = None
        self._slow: Toxic | None = None
        self._session: psycopg.AsyncConnection[Any] | None = None
        self._catching: asyncio.Task[None] | None = None

    async def provide(self, number: int) -> dict[str, str]:
        """What the target's command may use, for data of this number."""
        name = self._database = f"{self._name}_{number}"
        if name not in self._databases:
            async with told("CREATE DATABASE"), await self._server.admin() as admin:
                await _make_role(admin, self._server.target_password)
                await admin.execute(f'CREATE DATABASE "{name}" OWNER {ROLE}')
            self._databases.append(name)
        port = await self._way()
        login = f"{ROLE}:{self._server.target_password}"
        return {"postgres": f"{login}@{HOST}:{port}/{name}"}

    async def _way(self) -> int:
        if self._lease is None:
            self._lease = lease_port()
            self._proxy = await self._toxiproxy.open_proxy(
                upstream=self._server.address, listen_on=self._lease.number
            )
        return self._lease.number

    async def begin(self, fault: Fault, held: Callable[[], object]) -> None:
        """Cut the way, slow it, or put triggers on every table there is."""
        assert self._proxy is not None, "the target has not been started"
        async with told(fault.says()):
            match fault.kind:
                case FaultKind.STORAGE_AWAY:
                    await self._proxy.disable()
                    held()
                case FaultKind.STORAGE_SLOW:
                    self._slow = latency(max(1, fault.delay_ms // ROUND_TRIPS))
                    await self._proxy.add(self._slow)
                    held()
                case FaultKind.STORAGE_FULL:
                    self._session = await self._server.admin(self._database)
                    await _set_triggers(self._session, "full")
                    held()
                case FaultKind.COMMIT_CUT:
                    await self._set_trap(fault, held)

    async def end(self, fault: Fault) -> None:
        """As it was; a commit that was to be caught is waited for a while."""
        async with told(f"the end of {fault.says()}"):
            try:
                await self._spring()
            finally:
                await self._clear_way(fault)
                await self._drop_triggers()

    async def _clear_way(self, fault: Fault) -> None:
        assert self._proxy is not None
        slow, self._slow = self._slow, None
        if slow is not None:
            await self._proxy.remove(slow)
        elif fault.kind is not FaultKind.STORAGE_FULL:
            await self._proxy.enable()

    async def _drop_triggers(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            async with session:
                await session.execute("DROP SCHEMA IF EXISTS unbroken CASCADE")

    async def _set_trap(self, fault: Fault, held: Callable[[], object]) -> None:
        session = self._session = await self._server.admin(self._database)
        await session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        await _set_triggers(session, "wait")
        caught = self._catch(session, fault.fate, held)
        self._catching = asyncio.create_task(caught, name="catches a commit")

    async def _catch(
        self,
        session: "psycopg.AsyncConnection[Any]",
        fate: Fate | None,
        held: Callable[[], object],
    ) -> None:
        """Wait for a commit to be under way; cut its way, and decide on its fate."""
        assert self._proxy is not None
        while not (found := await _pids(session, _WAITING)):
            await asyncio.sleep(POLL_S)
        held()
        await self._proxy.disable()
        if fate is Fate.LOST:
            for pid in found:
                await session.execute("SELECT pg_terminate_backend(%s)", [pid])
        else:
            await session.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        theirs = "SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)"
        while await _pids(session, theirs, [found]):
            await asyncio.sleep(POLL_S)

    async def _spring(self) -> None:
        """Let the trap finish what it has begun, and let every commit through again."""
        catching, self._catching = self._catching, None
        if catching is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CAUGHT_S):
                await catching
        assert self._session is not None
        await self._session.execute("SELECT pg_advisory_unlock_all()")

    async def aclose(self) -> None:
        """The case is over: no proxy, no port, no database of it stays."""
        if self._proxy is not None:
            await self._proxy.delete()
        if self._lease is not None:
            self._lease.release()
        if self._databases:
            async with told("DROP DATABASE"), await self._server.admin() as admin:
                for name in self._databases:
                    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def told(what: str) -> AsyncIterator[None]:
    """Errors of our own PostgreSQL are trouble of ours."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise CouldNotRun(f"our PostgreSQL refused {what}: {error}") from error


async def _make_role(admin: "psycopg.AsyncConnection[Any]", password: str) -> None:
    found = await admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
    if await found.fetchone() is None:
        await admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'")


async def _pids(
    session: "psycopg.AsyncConnection[Any]", query: str, values: list[Any] | None = None
) -> list[int]:
    found = await session.execute(query, values)
    return [pid for (pid,) in await found.fetchall()]


async def _set_triggers(session: "psycopg.AsyncConnection[Any]", name: str) -> None:
    """At the commit of every change of every table `unbroken.NAME` is called."""
    await session.execute("SET lock_timeout = '4s'")
    await session.execute(_FUNCTIONS)
    tables = await (await session.execute(_TABLES)).fetchall()
    if not tables:
        raise CouldNotRun("the target has made no table in the database that it got")
    for (table,) in tables:
        await session.execute(
            f"CREATE CONSTRAINT TRIGGER unbroken AFTER INSERT OR UPDATE OR DELETE ON "
            f"{table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            f"EXECUTE FUNCTION unbroken.{name}()"
        )
