"""Starts the process that is forked for workers, and ends it."""

import asyncio
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.live.fork_server import Preloaded, folder_of_sockets

LAUNCHER = Path(__file__).parent / "launcher.py"

END_S = 5.0
"""How long it may take to end: it has nothing to do."""


@dataclass(frozen=True, slots=True)
class Preload:
    """Libraries of a target; see `harness.live.fork_server.Preloaded`."""

    modules: tuple[str, ...]
    log: Path


@contextmanager
def preforked(preload: Preload | None) -> Iterator[tuple[str, str]]:
    """Gives what pytest-xdist's --tx has to be for a worker that is a fork.

    And where all these workers may have the libraries of `preload`, "" without.
    """
    with folder_of_sockets() as folder:
        path = f"{folder}/workers"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            server = _start(listener.fileno(), folder)
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), path]
        try:
            with _preloaded(preload, f"{folder}/forks") as forks:
                yield f"popen//python={shlex.join(launch)}", forks
        finally:
            _end(server)


@contextmanager
def _preloaded(preload: Preload | None, path: str) -> Iterator[str]:
    if preload is None:
        yield ""
        return
    preload.log.parent.mkdir(exist_ok=True)
    preloaded = Preloaded(preload.modules, path=path, log=preload.log)
    try:
        yield path
    finally:
        asyncio.run(preloaded.stop())


def _start(number: int, folder: str) -> subprocess.Popen[bytes]:
    """A fresh process, with the modules that this one has, from the same places."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from harness.prefork.server import main; main({number}, {folder!r})"
    )
    command = [sys.executable, "-c", code]
    # In a session of its own: Ctrl-C is for this process, which ends its workers.
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, pass_fds=[number], start_new_session=True
    )


def _end(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
