"""A real server process, and raw sockets to talk to it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
WAIT_S = 10.0


def command(folder: Path, *flags: str) -> list[str]:
    """The command line; the database lies in `folder`."""
    database = f"sqlite:///{folder}/chat.db"
    base = [sys.executable, "-m", "reference_server", "--database", database]
    return [*base, *flags]


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, for starts that fail."""
    return subprocess.run(
        command(folder, *flags),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


class Process:
    """A server that has said that it is ready."""

    def __init__(self, folder: Path, *flags: str, env: dict[str, str]) -> None:
        self.child = subprocess.Popen(
            command(folder, *flags),
            cwd=ROOT,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.child.stdout
        self.ready_line = self.child.stdout.readline().strip()
        self.url = self.ready_line.rpartition(" ")[2]
        self.port = int(self.url.rpartition(":")[2])
        self.http = httpx.Client(base_url=self.url + "/broadcast", timeout=WAIT_S)

    def post(self, text: str) -> httpx.Response:
        """A new message."""
        body = json.dumps({"author": "ann", "text": text}, ensure_ascii=False)
        return self.http.post("/messages", content=body.encode())

    def connect(self, request: str, *, buffer: int | None = None) -> socket.socket:
        """A socket that has sent `request`; `buffer` bounds what the kernel takes."""
        client = socket.socket()
        client.settimeout(WAIT_S)
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect(("127.0.0.1", self.port))
        client.sendall(request.encode("latin-1"))
        return client

    def open(self, *, buffer: int | None = None) -> socket.socket:
        """A socket with a fresh stream."""
        head = "GET /broadcast/events HTTP/1.1\r\nHost: test\r\n\r\n"
        return self.connect(head, buffer=buffer)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self.child.send_signal(number)
        return self.child.wait(WAIT_S)

    def close(self) -> None:
        """Leave nothing behind."""
        self.http.close()
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


@contextmanager
def serving(folder: Path, *flags: str, **env: str) -> Iterator[Process]:
    """A server over `folder`, killed at the end."""
    process = Process(folder, *flags, env=env)
    try:
        yield process
    finally:
        process.close()


def read_until(client: socket.socket, part: bytes) -> bytes:
    """Everything up to the first chunk that completes `part`, or to the end."""
    received = b""
    while part not in received:
        chunk = client.recv(65536)
        if not chunk:
            break
        received += chunk
    return received


def read_all(client: socket.socket) -> bytes:
    """Everything up to the end."""
    return read_until(client, b"\x00never")
