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
from types import ModuleType
from typing import Any

from harness.parent import ORPHANED

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

HAND_OVER_S = 5.0
"""How long a launcher may take to say what it wants."""


def main(number: int, folder: str) -> None:
    """Serve on the socket of that number until standard input ends.

    Who started this is gone then, or nearly, and `folder` with it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how one ended
    gc.disable()  # what is imported stays: nothing to collect, nothing to copy
    for module in MODULES:
        importlib.import_module(module)
    if threading.active_count() > 1:
        return  # no fork would have that thread
    gc.freeze()
    with socket.socket(fileno=number) as listener:
        while True:
            ready, _, _ = select.select([sys.stdin, listener], [], [])
            if sys.stdin in ready:
                shutil.rmtree(folder, ignore_errors=True)
                return
            order = _next(listener)
            if order:
                break
    _run(**order)


def _next(listener: socket.socket) -> dict[str, Any] | None:
    """What to run in the fork that this has become; None in the server itself."""
    channel, _ = listener.accept()
    with channel:
        try:
            order, streams = _order(channel)
        except (OSError, ValueError):  # its launcher does without
            return None
        if not os.fork():
            listener.close()
            _become(streams, channel.detach())
            return order
    for stream in streams:
        os.close(stream)
    return None


def _order(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    channel.settimeout(HAND_OVER_S)
    _, streams, *_ = socket.recv_fds(channel, 1, STREAMS)
    with channel.makefile("rb") as lines:
        order: dict[str, Any] = json.loads(lines.readline())
    channel.settimeout(None)
    return order, streams


def _become(streams: list[int], launcher: int) -> None:
    """With the launcher's streams, and no longer than it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.write(launcher, b"+")

    def watch() -> None:
        os.read(launcher, 1)
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="launcher watch", daemon=True).start()


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    """What `python ... -c CODE` does."""
    os.environ.clear()
    os.environ.update(environment)
    *_, code = arguments
    sys.argv = ["-c"]
    module = sys.modules["__main__"] = ModuleType("__main__")
    gc.enable()
    exec(code, vars(module))
