"""A PostgreSQL of our own: a cluster in a temporary folder, never the system's.

It listens on 127.0.0.1 only, wants a password from everybody, and is made for a case
to be over soon: what it has committed survives the target's end, not the machine's.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from harness.core.errors import CouldNotRun
from harness.live.ports import HOST, Lease, lease_port
from harness.live.postgres_programs import Programs, find_programs, unprivileged_user
from harness.live.process import end_group, spawn

if TYPE_CHECKING:
    import psycopg

PREFIX = "unbroken-postgres-"
SUPERUSER = "unbroken"

INIT_S, READY_S, STOP_S = 60.0, 30.0, 10.0
"""How long making the cluster, its start and its end may take; a second is usual."""

POLL_S = 0.02
ATTEMPTS = 3
"""How many ports are tried."""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # in the cluster's folder, gone with it
    "shared_buffers": "16MB",
    "max_connections": "60",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "logging_collector": "off",
    "log_min_messages": "warning",
}

DRIVER = (
    "faults of PostgreSQL need psycopg, which is not installed: "
    "pip install 'unbroken[postgres]'"
)


class PostgresServer:
    """A running server; make it with `start`, always end it with `stop`."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        *,
        folder: Path,
        lease: Lease,
        password: str,
        version: str,
    ) -> None:
        self.version = version
        self.address = (HOST, lease.number)
        self.target_password = secrets.token_hex(8)
        self._popen = popen
        self._folder = folder
        self._lease = lease
        self._password = password

    @classmethod
    async def start(cls, log: Path) -> PostgresServer:
        """Make a cluster and start it; what it says goes to `log`.

        Raises `CouldNotRun`, with the end of the log or with what to install.
        """
        _driver()
        programs, user = find_programs(), unprivileged_user()
        base = Path(tempfile.gettempdir())
        _sweep(base)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
        try:
            password = secrets.token_hex(16)
            await _make(programs, folder, user=user, password=password, log=log)
            for _ in range(ATTEMPTS):
                server = cls._launch(programs, folder, user, password, log)
                if await server._ready():
                    return server
                await server._end()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise CouldNotRun(f"PostgreSQL did not start:\n{_tail(log)}")

    @classmethod
    def _launch(
        cls,
        programs: Programs,
        folder: Path,
        user: str | None,
        password: str,
        log: Path,
    ) -> PostgresServer:
        lease = lease_port()
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        where = ["-D", str(folder / "data"), "-p", str(lease.number)]
        command = [programs.path("postgres"), *where, *settings]
        popen = spawn(command, cwd=folder, env=_environment(), log=log, user=user)
        return cls(
            popen,
            folder=folder,
            lease=lease,
            password=password,
            version=programs.version,
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._popen.poll() is None

    async def admin(self, database: str = "postgres") -> psycopg.AsyncConnection[Any]:
        """A superuser's connection, straight to the server, committing each statement.

        Raises `CouldNotRun` when there is none to be had.
        """
        import psycopg

        host, port = self.address
        try:
            return await psycopg.AsyncConnection.connect(
                host=host,
                port=port,
                user=SUPERUSER,
                password=self._password,
                dbname=database,
                connect_timeout=5,
                autocommit=True,
            )
        except psycopg.Error as error:
            raise CouldNotRun(f"our PostgreSQL does not answer: {error}") from error

    async def _ready(self) -> bool:
        """Wait until our own child answers; False when it has ended instead."""
        deadline = time.monotonic() + READY_S
        while self.alive and time.monotonic() < deadline:
            with suppress(CouldNotRun):
                async with await self.admin():
                    return True
            await asyncio.sleep(POLL_S)
        return False

    async def stop(self) -> None:
        """End it at once, and remove its folder: nothing of it is wanted any more."""
        try:
            await self._end()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        # SIGQUIT: it ends its children, each of which leads a group of its own.
        try:
            await end_group(self._popen, grace_s=STOP_S, politely=signal.SIGQUIT)
        finally:
            self._lease.release()


def _driver() -> None:
    try:
        import psycopg
    except ImportError as error:
        raise CouldNotRun(DRIVER) from error
    del psycopg


async def _make(
    programs: Programs, folder: Path, *, user: str | None, password: str, log: Path
) -> None:
    """initdb; the password is in a file only as long as that takes."""
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    if user is not None:
        for path in (folder, secret):
            shutil.chown(path, user)
    command = [
        *(programs.path("initdb"), "-D", str(folder / "data"), "-U", SUPERUSER),
        *("--pwfile", str(secret), "--auth=scram-sha-256", "--no-sync"),
        *("--encoding=UTF8", "--locale=C"),
    ]
    popen = spawn(command, cwd=folder, env=_environment(), log=log, user=user)
    deadline = time.monotonic() + INIT_S
    try:
        while popen.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        if popen.returncode != 0:
            raise CouldNotRun(f"initdb made no cluster:\n{_tail(log)}")
    finally:
        await end_group(popen, grace_s=0)
        secret.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Without PGDATA, PGPORT and the like, which would be the system's."""
    return {name: value for name, value in os.environ.items() if name[:2] != "PG"}


def _sweep(base: Path) -> None:
    """Remove what harnesses that are no more have left."""
    for folder in base.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            _free_segment(folder / "data" / "postmaster.pid")
            shutil.rmtree(folder, ignore_errors=True)


def _free_segment(file: Path) -> None:
    """Give back the few bytes of System V memory that a killed server leaves.

    Its lock file holds key and id of the segment in the seventh line.
    """
    with suppress(OSError, subprocess.SubprocessError, IndexError):
        _, segment = file.read_text(encoding="ascii").splitlines()[6].split()
        command = ["ipcrm", "-m", str(int(segment))]
        subprocess.run(command, capture_output=True, timeout=STOP_S, check=False)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2_000:]
