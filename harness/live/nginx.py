"""One nginx process of our own between toxiproxy and the server.

Its folder holds everything that it writes: configuration, pid, log, temporary files.
It and its workers share a process group, so they end with it or with the harness.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil

from harness.arm import Link
from harness.core.errors import CouldNotRun
from harness.core.fault import Close
from harness.core.nginx import Nginx
from harness.link import FaultyLink
from harness.live.nginx_config import Address, configuration
from harness.live.output import OutputFile
from harness.live.ports import HOST, Lease, lease_port, listens
from harness.live.process import end_group, spawn
from harness.live.proxied import Proxies
from harness.live.toxiproxy_server import ToxiproxyServer

VARIABLE = "NGINX"
"""Names the program in the environment, where it is not on the PATH."""

INSTALL = "apt-get install nginx-light"
ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian keeps it, which is on the PATH of root only."""

START_S = 10.0
"""How long it may take to listen, or to reload; a few hundredths are usual."""

STOP_S = 2.0
POLL_S = 0.01
"""How often a start, a reload is looked at: there is no event for either."""

ATTEMPTS = 3


def find_nginx() -> Path:
    """The program; raises `CouldNotRun` with the way to get it."""
    wished = os.environ.get(VARIABLE, "")
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), ADMIN_PATH))
    found = shutil.which(wished or "nginx", path=path)
    if found is None:
        what = f"{VARIABLE}={wished!r} is no program" if wished else "nginx is missing"
        raise CouldNotRun(f"{what}; install it: {INSTALL}, or name it in {VARIABLE}")
    return Path(found)


@cache
def version_of(binary: Path) -> str:
    """What it calls itself, such as nginx/1.22.1; raises `CouldNotRun`."""
    try:
        done = subprocess.run(
            [binary, "-v"], capture_output=True, text=True, timeout=START_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotRun(f"{binary} -v does not tell its version: {error}") from error
    return done.stderr.strip().rpartition(" ")[2]


class NginxBox:
    """A running nginx; make it with `start`, always end it with `aclose`."""

    def __init__(
        self,
        nginx: Nginx,
        *,
        folder: Path,
        upstream: Callable[[], Address],
        toxiproxy: ToxiproxyServer | None,
    ) -> None:
        self.binary = find_nginx()
        self.version = version_of(self.binary)
        self.address = (HOST, 0)
        self._nginx = nginx
        self._folder = folder
        self._upstream = upstream
        self._toxiproxy = toxiproxy
        self._lease: Lease | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._log = OutputFile(folder / "nginx.log")

    @classmethod
    async def start(
        cls,
        nginx: Nginx,
        *,
        folder: Path,
        upstream: Callable[[], Address],
        toxiproxy: ToxiproxyServer | None = None,
    ) -> NginxBox:
        """Start it in `folder`, and wait until it listens.

        Raises `CouldNotRun` when it is missing, or with its last output.
        """
        box = cls(nginx, folder=folder, upstream=upstream, toxiproxy=toxiproxy)
        for _ in range(ATTEMPTS):
            box._take_port()
            try:
                if await box._launch():
                    return box
            except BaseException:
                await box.aclose()
                raise
            await box.aclose()
        raise CouldNotRun(f"nginx did not start:\n{box._log.tail()}")

    def link(self, *, close: Close) -> Link:
        """Through toxiproxy to it, and on to the server."""
        assert self._toxiproxy is not None
        return FaultyLink(Proxies(self._toxiproxy, lambda: self.address, close), close)

    def check(self) -> None:
        """Raises `CouldNotRun` when it died by itself."""
        code = None if self._popen is None else self._popen.poll()
        if code is not None:
            raise CouldNotRun(f"nginx exited with {code}:\n{self._log.tail()}")

    async def reload(self) -> None:
        """SIGHUP; back when a new worker has taken over.

        Raises `CouldNotRun` when none does, or an old one goes on accepting.
        """
        assert self._popen is not None
        before = self._workers()
        self._popen.send_signal(signal.SIGHUP)

        def taken_over() -> bool:
            return bool(self._workers() - before) and not any(map(_accepts, before))

        if not await self._comes(taken_over):
            raise CouldNotRun(f"nginx did not reload:\n{self._log.tail()}")

    async def restart(self) -> None:
        """SIGTERM, which breaks every stream off, and a new start on the same port."""
        await self._end(grace_s=STOP_S)
        if not await self._launch():
            raise CouldNotRun(f"nginx did not start again:\n{self._log.tail()}")

    async def aclose(self) -> None:
        """End it, and give its port back."""
        await self._end(grace_s=0)
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _take_port(self) -> None:
        self._lease = lease_port()
        self.address = (HOST, self._lease.number)

    async def _launch(self) -> bool:
        """Whether it, and nobody else, came to listen on its port."""
        text = configuration(
            self._nginx, listen=self.address, upstream=self._upstream()
        )
        (self._folder / "nginx.conf").write_text(text, encoding="utf-8")
        where = ["-p", f"{self._folder.resolve()}/", "-c", "nginx.conf"]
        self._popen = spawn(
            [str(self.binary), "-e", "stderr", *where],
            cwd=self._folder,
            env=None,
            log=self._log.path,
        )
        child, port = self._popen.pid, self.address[1]
        return await self._comes(lambda: listens(port, child=child))

    async def _comes(self, condition: Callable[[], bool]) -> bool:
        """Wait for it; False when the time is up, or when nginx has ended."""
        assert self._popen is not None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + START_S
        while not condition():
            if self._popen.poll() is not None or loop.time() > until_s:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _end(self, *, grace_s: float) -> None:
        popen, self._popen = self._popen, None
        if popen is not None:
            await end_group(popen, grace_s=grace_s)

    def _workers(self) -> set[int]:
        assert self._popen is not None
        try:
            return {one.pid for one in psutil.Process(self._popen.pid).children()}
        except psutil.Error:
            return set()


def _accepts(pid: int) -> bool:
    """Whether a worker takes new connections; it says so when it does not any more."""
    try:
        return "shutting down" not in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
