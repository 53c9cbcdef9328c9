"""The process that imports what workers need, then is forked for each."""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any

MODULES = (
    "anyio._backends._asyncio",
    "anyio.pytest_plugin",
    "harness.judged",
    "harness.live.arm",
    "harness.plugin",
    "pytest_timeout",
    "xdist.remote",
)
"""What all workers import in the end."""

STREAMS = 3
"""A launcher's standard input, output and error."""

HAND_OVER_S = 1.0
"""How long a launcher may take to say what it wants: meanwhile the others wait."""

Order = dict[str, Any]
"""`arguments` of Python and `environment`."""


def main(number: int, folder: str) -> None:
    """Serve on the socket of that number until standard input ends.

    Who started this is gone then, or nearly, and `folder` with it.
    """
    gc.disable()  # what is imported stays: nothing to collect, nothing to copy
    for module in MODULES:
        importlib.import_module(module)
    if threading.active_count() > 1:
        return  # no fork would have that thread
    gc.freeze()
    order = Server(socket.socket(fileno=number)).serve()
    if order is not None:
        _run(**order)
    else:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """The workers that were forked, each with the channel of its launcher.

    One that has ended is told to its launcher, which then ends; one whose launcher has
    ended is killed, for it may not be able to end itself any more.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._workers: dict[socket.socket, int] = {}
        self._ends, self._ended = os.pipe()
        os.set_blocking(self._ended, False)

    def serve(self) -> Order | None:
        """What to run in the fork that this has become; None at the end of it all."""
        # The end is that of standard input: whoever is told to end, we clear up first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ended, warn_on_full_buffer=False)
        while True:
            watched = [sys.stdin, self._listener, self._ends, *self._workers]
            ready, _, _ = select.select(watched, [], [])
            if self._ends in ready:
                os.read(self._ends, 4_096)
                self._reap()
            over = sys.stdin in ready
            for launcher in [c for c in self._workers if over or c in ready]:
                os.kill(self._workers.pop(launcher), signal.SIGKILL)
                launcher.close()
            if over:
                return None
            if self._listener in ready and (order := self._take()) is not None:
                return order

    def _take(self) -> Order | None:
        """Fork for who asks; gives what is to run to the fork."""
        try:
            channel, _ = self._listener.accept()
        except OSError:
            return None
        try:
            order, streams = _read(channel)
        except (OSError, ValueError):  # its launcher does without
            channel.close()
            return None
        pid = _fork(channel)
        if pid == 0:
            self._become(channel, streams)
            return order
        if pid is None:
            channel.close()
        else:
            self._workers[channel] = pid
            with suppress(OSError):  # killed when its end is seen
                channel.sendall(b"+")
        for stream in streams:
            os.close(stream)
        return None

    def _become(self, channel: socket.socket, streams: list[int]) -> None:
        """With the launcher's streams, and nothing of ours."""
        signal.set_wakeup_fd(-1)
        for handled in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(handled, signal.SIG_DFL)
        for one in (channel, self._listener, *self._workers):
            one.close()
        for end in (self._ends, self._ended):
            os.close(end)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                for launcher in [c for c, one in self._workers.items() if one == pid]:
                    del self._workers[launcher]
                    launcher.close()


def _read(channel: socket.socket) -> tuple[Order, list[int]]:
    """An order with its streams; raises OSError or ValueError for none."""
    channel.settimeout(HAND_OVER_S)
    _, streams, *_ = socket.recv_fds(channel, 1, STREAMS)
    try:
        with channel.makefile("rb") as lines:
            order: Order = json.loads(lines.readline())
        if len(streams) != STREAMS:
            raise ValueError(f"{len(streams)} streams")
    except BaseException:
        for stream in streams:
            os.close(stream)
        raise
    return order, streams


def _fork(launcher: socket.socket) -> int | None:
    """0 in the fork; None when there can be none, or nobody waits for it any more."""
    try:
        launcher.sendall(b"+")
        return os.fork()
    except OSError:
        return None


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    """What `python ... -c CODE` does."""
    os.environ.clear()
    os.environ.update(environment)
    *_, code = arguments
    sys.argv = ["-c"]
    module = sys.modules["__main__"] = ModuleType("__main__")
    gc.enable()
    exec(code, vars(module))
