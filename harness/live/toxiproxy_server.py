"""One toxiproxy process of our own, on a port of our own, that dies with the harness.

A second server on a taken port stays alive without serving, so whoever answers there
may be an old one. Ours is started with a configuration that holds a proxy named by a
nonce: who knows that name is our child.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import CouldNotRun, HarnessError
from harness.live.process import end_group, spawn
from harness.live.toxiproxy import Api, Proxy, Toxic, ToxiproxyGone, open_proxy

READY_S = 10.0
"""How long a start may take; about 20 ms are usual."""

ATTEMPTS = 3
"""How many ports are tried: between choosing one and taking it anyone may take it."""


class ToxiproxyServer:
    """A running server; make it with `start`, always end it with `stop`."""

    def __init__(self, popen: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._popen = popen
        self._api = Api(port=port, gone=self._describe)
        self._nonce = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    @classmethod
    async def start(cls, binary: Path, folder: Path) -> ToxiproxyServer:
        """Start `binary` and wait until it serves; its log goes to `folder`.

        Raises `CouldNotRun` with the end of the log when it does not.
        """
        for _ in range(ATTEMPTS):
            server, nonce = _launch(binary, folder)
            try:
                ready = await server._ready(nonce)
            except BaseException:
                await server.stop()
                raise
            if ready:
                return server
            await server.stop()
        raise CouldNotRun(f"toxiproxy did not start:\n{_tail(server.log)}")

    async def _ready(self, nonce: str) -> bool:
        """Wait for our own child's answer; False when another process has the port."""
        deadline = time.monotonic() + READY_S
        while self._popen.poll() is None and time.monotonic() < deadline:
            try:
                await asyncio.to_thread(self._api.get, f"/proxies/{nonce}")
            except ToxiproxyGone:
                await asyncio.sleep(0.005)  # no event tells that it listens
            except HarnessError:
                return False
            else:
                self._api.answers = True
                return True
        return False

    @property
    def alive(self) -> bool:
        """Whether the process runs and has answered whatever it was asked."""
        return self._popen.poll() is None and self._api.answers

    async def open_proxy(
        self,
        *,
        upstream: tuple[str, int],
        toxics: Sequence[Toxic] = (),
        listen_on: int = 0,
    ) -> Proxy:
        """Open a proxy for one connection attempt, with `toxics` there before it.

        Raises `ToxiproxyGone` when the server does not answer. Cancelled in between,
        it may leave a proxy that nobody connects to, until the server stops.
        """
        name = f"{self._nonce}-{next(self._numbers)}"
        return await asyncio.to_thread(
            open_proxy,
            self._api,
            name=name,
            upstream=upstream,
            toxics=toxics,
            listen_on=listen_on,
        )

    async def stop(self) -> None:
        """Kill the process: it keeps nothing that a graceful end would save."""
        self._api.close()
        await end_group(self._popen, grace_s=0)

    def _describe(self) -> str:
        code = self._popen.poll()
        state = "hangs" if code is None else f"exited with {code}"
        return f"toxiproxy on port {self.port} {state} (log: {self.log})"


def _launch(binary: Path, folder: Path) -> tuple[ToxiproxyServer, str]:
    nonce, port = f"ours-{secrets.token_hex(8)}", _free_port()
    # Named by the nonce: who was given the same port would write to the same files.
    config = folder / f"toxiproxy-{nonce}.json"
    marker = {"name": nonce, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}
    config.write_text(json.dumps([marker | {"enabled": False}]), encoding="utf-8")
    log = config.with_suffix(".log")
    where = ["-host", "127.0.0.1", "-port", str(port), "-config", str(config.resolve())]
    command = [str(binary.resolve()), *where]
    popen = spawn(command, cwd=folder, env=os.environ | {"LOG_LEVEL": "info"}, log=log)
    return ToxiproxyServer(popen, port, log), nonce


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
