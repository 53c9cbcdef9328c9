"""Our nginx: what it is told, that it starts, reloads, restarts, and never stays."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from harness.core.errors import CouldNotRun
from harness.core.nginx import HttpVersion, Nginx
from harness.live import nginx as live
from harness.live.nginx import INSTALL, NginxBox, find_nginx
from harness.live.nginx_config import configuration
from harness.live.ports import is_free
from harness.live.process import end_group

pytestmark = pytest.mark.anyio
NOBODY = ("127.0.0.1", 9)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def boxed(folder: Path, nginx: Nginx = Nginx()) -> AsyncIterator[NginxBox]:  # noqa: B008 - frozen
    box = await NginxBox.start(nginx, folder=folder, upstream=lambda: NOBODY)
    try:
        yield box
    finally:
        await box.aclose()


async def status(box: NginxBox) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        host, port = box.address
        return (await http.get(f"http://{host}:{port}/")).status_code


def lives(process: psutil.Process) -> bool:
    """A zombie does not: where process 1 reaps nobody it stays for ever."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def members(box: NginxBox) -> list[psutil.Process]:
    assert box._popen is not None
    leader = psutil.Process(box._popen.pid)
    return [leader, *leader.children()]


# ---- its configuration ---------------------------------------------------------------


def lines(nginx: Nginx) -> set[str]:
    text = configuration(nginx, listen=("127.0.0.1", 1), upstream=("::1", 2))
    return {line.strip() for line in text.splitlines()}


def test_every_default_is_nginx_s_own() -> None:
    told = lines(Nginx())
    assert {"proxy_buffering on;", "proxy_http_version 1.0;", "gzip off;"} <= told
    assert {"proxy_read_timeout 60000ms;", "listen 127.0.0.1:1;"} <= told
    assert "proxy_pass http://[::1]:2;" in told
    assert not any("shutdown" in line for line in told)


def test_what_is_asked_for_is_told() -> None:
    told = lines(
        Nginx(
            read_timeout_s=2.5,
            buffering=False,
            gzip=True,
            upstream_http=HttpVersion.HTTP_1_1,
            shutdown_timeout_s=0.75,
        )
    )
    assert {"proxy_buffering off;", "proxy_http_version 1.1;", "gzip on;"} <= told
    assert {"proxy_read_timeout 2500ms;", "worker_shutdown_timeout 750ms;"} <= told


def test_no_path_leaves_its_folder(tmp_path: Path) -> None:
    """As nginx itself reads it: nothing of the machine's own installation is left."""
    (tmp_path / "nginx.conf").write_text(
        configuration(Nginx(), listen=("127.0.0.1", 1), upstream=NOBODY)
    )
    where = ["-p", f"{tmp_path}/", "-c", "nginx.conf", "-e", "stderr", "-T"]
    done = subprocess.run(
        [find_nginx(), *where], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "/var/" not in done.stdout + done.stderr
    assert "/etc/" not in done.stdout


# ---- its life ------------------------------------------------------------------------


async def test_it_serves_from_its_folder_and_goes_with_everything(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a folder; with $odd {names}"
    async with boxed(folder) as box:
        assert await status(box) == 502  # nobody is behind it
        box.check()
        ours = members(box)
        assert len(ours) == 2
        assert (folder / "nginx.pid").read_text().strip() == str(ours[0].pid)
        assert box.version.startswith("nginx/")
        opened = [f.path for one in ours for f in one.open_files()]
        assert all(path.startswith(str(folder)) for path in opened), opened
    assert not any(map(lives, ours))
    assert is_free(box.address[1])


async def test_a_reload_brings_a_new_worker_and_keeps_the_port(tmp_path: Path) -> None:
    async with boxed(tmp_path) as box:
        leader, before = members(box)
        await box.reload()
        assert await status(box) == 502
        assert members(box)[0].pid == leader.pid
        assert {one.pid for one in members(box)[1:]} != {before.pid}
        box.check()


async def test_a_restart_breaks_off_what_it_carries(tmp_path: Path) -> None:
    async with boxed(tmp_path) as box:
        before, address = members(box), box.address
        reader, writer = await asyncio.open_connection(*box.address)
        writer.write(b"GET / HTTP/1.1\r\n")  # and no end of it
        await writer.drain()
        await box.restart()
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        assert box.address == address
        assert not any(map(lives, before))
        assert await status(box) == 502


async def test_a_death_of_its_own_is_told(tmp_path: Path) -> None:
    async with boxed(tmp_path) as box:
        assert box._popen is not None
        await end_group(box._popen, grace_s=0)
        with pytest.raises(CouldNotRun, match="nginx exited with -9"):
            box.check()


async def test_a_configuration_that_it_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "configuration", lambda *_, **__: "nonsense;")
    with pytest.raises(CouldNotRun, match='unknown directive "nonsense"'):
        await NginxBox.start(Nginx(), folder=tmp_path, upstream=lambda: NOBODY)


async def test_a_reload_that_does_not_come_about_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "START_S", 0.5)
    async with boxed(tmp_path) as box:
        (tmp_path / "nginx.conf").write_text("nonsense;")
        with pytest.raises(CouldNotRun, match="did not reload"):
            await box.reload()


async def test_a_taken_port_is_left_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else listens there must never answer for it."""
    launch = NginxBox._launch
    taken: list[socket.socket] = []

    async def meets_another(box: NginxBox) -> bool:
        if not taken:
            taken.append(socket.create_server(box.address))
        return await launch(box)

    monkeypatch.setattr(NginxBox, "_launch", meets_another)
    async with boxed(tmp_path) as box:
        assert box.address != taken[0].getsockname()
        assert await status(box) == 502
    taken[0].close()


async def test_cancelled_while_it_starts_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[NginxBox] = []

    async def never(box: NginxBox, condition: object) -> bool:
        del condition
        started.append(box)
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(NginxBox, "_comes", never)
    start = NginxBox.start(Nginx(), folder=tmp_path, upstream=lambda: NOBODY)
    task = asyncio.create_task(start)
    while not started:
        await asyncio.sleep(0)
    assert started[0]._popen is not None
    leader = psutil.Process(started[0]._popen.pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not lives(leader)


# ---- where it is ---------------------------------------------------------------------


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGINX", "/nowhere/nginx")
    with pytest.raises(CouldNotRun, match=f"'/nowhere/nginx' is no program.*{INSTALL}"):
        find_nginx()
    monkeypatch.delenv("NGINX")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(live, "ADMIN_PATH", "/nowhere")
    with pytest.raises(CouldNotRun, match=f"nginx is missing; install it: {INSTALL}"):
        find_nginx()


def test_found_where_an_ordinary_user_has_no_path_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(live, "ADMIN_PATH", str(tmp_path))
    assert find_nginx() == program


def test_a_program_that_is_no_nginx_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NGINX", "/bin/false")
    with pytest.raises(CouldNotRun, match="/bin/false -v does not tell its version"):
        NginxBox(Nginx(), folder=tmp_path, upstream=lambda: NOBODY, toxiproxy=None)
