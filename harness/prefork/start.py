"""Starts the process that is forked for workers, and ends it."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from harness.live.fork_server import Preloaded

LAUNCHER = Path(__file__).parent / "launcher.py"

PLAIN = "popen"
"""A worker that pytest-xdist starts by itself."""

SHORT = 70
"""A socket's path has 103 bytes at most; this is for the folder before ours."""

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

    And where all these workers may have the libraries of `preload`, "" without. Where
    neither can be had, a worker is what it is by itself.
    """
    with ExitStack() as stack:
        try:
            given = stack.enter_context(_preforked(preload))
        except OSError:
            given = PLAIN, ""
        yield given


@contextmanager
def _preforked(preload: Preload | None) -> Iterator[tuple[str, str]]:
    with _folder() as folder:
        with _listening(f"{folder}/workers") as listener:
            server = _start(listener.fileno(), folder)
        try:
            with _preloaded(preload, f"{folder}/forks") as forks:
                yield _spec(f"{folder}/workers"), forks
        finally:
            _end(server)


@contextmanager
def _folder() -> Iterator[str]:
    """A folder that is nobody else's to look into, with a path short enough."""
    usual = gettempdir()
    place = usual if len(os.fsencode(usual)) <= SHORT else "/tmp"
    with TemporaryDirectory(
        prefix="unbroken-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        yield folder


@contextmanager
def _listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield listener


def _spec(path: str) -> str:
    """What pytest-xdist starts; no part of it may have two slashes."""
    launch = shlex.join([sys.executable, "-I", "-S", str(LAUNCHER), path])
    return PLAIN if "//" in launch else f"{PLAIN}//python={launch}"


@contextmanager
def _preloaded(preload: Preload | None, path: str) -> Iterator[str]:
    if preload is None:
        yield ""
        return
    preload.log.parent.mkdir(exist_ok=True)
    with _listening(path) as listener:
        preloaded = Preloaded(preload.modules, listener, preload.log)
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
