"""`unbroken doctor`: one line a part, ok or broken, and how to mend it."""

import asyncio
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from harness.core.errors import CouldNotRun, HarnessError
from harness.core.nginx import Nginx
from harness.live.nginx import NginxBox
from harness.live.ports import HOST, lease_port
from harness.live.postgres_server import PostgresServer
from harness.live.recipes import RecipeResult, self_test
from harness.live.toxiproxy_binary import find_or_build
from harness.live.toxiproxy_server import ToxiproxyServer

BROKEN = 3


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One part: what was found, and the way out when it is broken.

    Without a part that is not `needed` some cases could not run; the others can.
    """

    part: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


def doctor(*, as_json: bool) -> int:
    """Check every part; gives the exit status, 0 or 3."""
    checks = []
    for check in _checks():
        checks.append(check)
        if not as_json:
            click.echo(_line(check))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(checks), indent=1).decode())
    return 0 if all(check.ok or not check.needed for check in checks) else BROKEN


def _line(check: Check) -> str:
    state = "ok    " if check.ok else "broken" if check.needed else "warn  "
    mend = f"\n        {check.mend}" if check.mend and not check.ok else ""
    return f"{state}  {check.part}: {check.found}{mend}"


def _checks() -> Iterator[Check]:
    yield Check(
        part="Python",
        ok=sys.version_info >= (3, 11),
        found=platform.python_version(),
        mend="install Python 3.11 or newer",
    )
    yield _ports()
    yield _write_access()
    yield from _toxiproxy()
    yield _nginx()
    yield _postgres()


def _ports() -> Check:
    mend = "end some of the programs that listen on this machine"
    try:
        lease = lease_port()
        lease.release()
        found = f"127.0.0.1:{lease.number} is free"
    except HarnessError as error:
        return Check(part="free ports", ok=False, found=str(error), mend=mend)
    return Check(part="free ports", ok=True, found=found)


def _write_access() -> Check:
    part, folder = "write access", Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check(part=part, ok=True, found=str(folder))
    except OSError as error:
        return Check(
            part=part,
            ok=False,
            found=f"{folder}: {error.strerror}",
            mend="run it elsewhere, or choose a folder with --out",
        )


def _postgres() -> Check:
    """Only targets that keep their messages there need it."""
    part = "PostgreSQL, for targets that ask for it"
    try:
        found = asyncio.run(_postgres_runs())
    except HarnessError as error:
        mend = "needed only by targets with [storage] postgres; see the message"
        return Check(part=part, ok=False, needed=False, found=str(error), mend=mend)
    return Check(part=part, ok=True, found=found)


async def _postgres_runs() -> str:
    with tempfile.TemporaryDirectory(prefix="unbroken-doctor-") as folder:
        server = await PostgresServer.start(Path(folder) / "postgres.log")
        await server.stop()
    return f"version {server.version}"


def _toxiproxy() -> Iterator[Check]:
    part = "toxiproxy server"
    try:
        binary = find_or_build(lambda line: click.echo(line, err=True))
        results = asyncio.run(_self_test(binary))
    except HarnessError as error:
        mend = "see the message; TOXIPROXY_SERVER may name a binary of version 2.12"
        yield Check(part=part, ok=False, found=str(error), mend=mend)
        return
    yield Check(part=part, ok=True, found=str(binary))
    for one in results:
        yield Check(
            part=f"recipe {one.name}",
            ok=one.ok,
            found=f"expected {one.expected}, observed {one.observed}",
            mend="try again; if it stays, this machine's network is not plain TCP",
        )


def _nginx() -> Check:
    part = "nginx"
    try:
        found = asyncio.run(_started_nginx())
    except CouldNotRun as error:
        return Check(
            part=part,
            ok=False,
            found=str(error),
            mend="without it the scenarios behind nginx could not run",
            needed=False,
        )
    return Check(part=part, ok=True, found=found)


async def _started_nginx() -> str:
    """Start it as a case does: a build may lack what our configuration asks for."""
    with tempfile.TemporaryDirectory(prefix="unbroken-doctor-") as folder:
        box = await NginxBox.start(
            Nginx(gzip=True, shutdown_timeout_s=1.0),
            folder=Path(folder),
            upstream=lambda: (HOST, 9),
        )
        await box.aclose()
        return f"{box.version} ({box.binary})"


async def _self_test(binary: Path) -> list[RecipeResult]:
    with tempfile.TemporaryDirectory(prefix="unbroken-doctor-") as folder:
        server = await ToxiproxyServer.start(binary, Path(folder))
        try:
            return await self_test(server)
        finally:
            await server.stop()
