"""The program of a fork server: `python .../harness/live/forking FD MODULE...`.

Imports the modules, then forks for each order. Orders come over connections to the
listening socket FD, from several processes of the harness: one byte with two
descriptors (output and lifeline, see `harness.live.process`), then a line of JSON. It
tells in lines of JSON that it is ready, which process it has made, and with what status
one has ended, whoever ordered that one.

In a folder of its own, with nothing of the harness imported: the fork is to become the
target, as `python -m MODULE` would have made it.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import site
import socket
import sys
import sysconfig
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any

Order = dict[str, Any]
"""`command` without Python and -m, `cwd`, `env`."""

PATHS = ("stdlib", "platstdlib", "purelib", "platlib")


ORDER_S = 5.0
"""How long an order may take to come in whole."""


def main(number: str, *modules: str) -> None:
    """Serve; returns only in a fork, when its program has ended."""
    listener = socket.socket(fileno=int(number))
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()
    gc.disable()  # what is imported stays: nothing to collect, nothing to copy
    trouble = imported(modules)
    gc.freeze()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or every fork would print it
    order = Server(listener, trouble).serve()
    gc.enable()
    run(order)


def imported(modules: tuple[str, ...]) -> str:
    """Import them; the trouble in words when a fork could not do with them."""
    before = set(sys.modules)
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:
            return f"{module}: {type(error).__name__}: {error}"
    if threading.active_count() > 1:
        return f"{', '.join(modules)}: a thread runs already, which no fork would have"
    libraries = places()
    own = [
        name
        for name, one in list(sys.modules.items())
        if name not in before and not is_library(one, libraries)
    ]
    if own:
        return (
            f"{', '.join(own)}: no installed library; what a module of the target's "
            "own sets up when imported would outlive its restarts"
        )
    return ""


def places() -> tuple[str, ...]:
    """Where Python's modules and installed ones are, each with a slash at its end."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in PATHS]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(os.path.join(place, "") for place in found)


def is_library(module: ModuleType, libraries: tuple[str, ...]) -> bool:
    """Whether it is Python's or installed."""
    file = getattr(module, "__file__", None)
    if file is None or module is sys.modules["__main__"]:  # built in, or this one
        return True
    return bool(file.startswith(libraries))


class Server:
    """Who is connected, and for whom each fork was made."""

    def __init__(self, listener: socket.socket, trouble: str) -> None:
        self._listener = listener
        self._trouble = trouble
        self._channels: list[socket.socket] = []
        self._asked: dict[int, socket.socket] = {}

    def serve(self) -> Order:
        """Fork for each order; returns it, in the fork only."""
        signal.signal(signal.SIGCHLD, self._reap)
        while True:
            ready, _, _ = select.select([self._listener, *self._channels], [], [])
            for one in ready:
                if one is self._listener:
                    self._welcome()
                elif (order := self._take(one)) is not None:
                    return order

    def _welcome(self) -> None:
        channel, _ = self._listener.accept()
        channel.settimeout(ORDER_S)
        self._channels.append(channel)
        say(channel, **{"trouble": self._trouble} if self._trouble else {"ready": True})

    def _take(self, channel: socket.socket) -> Order | None:
        """Carry out an order; gives it to the fork."""
        try:
            order, descriptors = read_order(channel)
        except (OSError, ValueError):  # whoever it was is gone
            self._channels.remove(channel)
            channel.close()
            return None
        # Not before its number is told: an end without a beginning says nothing.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        begins, begun = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(begins)
            for one in (self._listener, *self._channels):
                one.close()
            become_child(descriptors)
            os.close(begun)
            return order
        os.close(begun)
        os.read(begins, 1)  # its end: the fork leads its group, or is dead
        self._asked[pid] = channel
        say(channel, number=order["number"], pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for descriptor in (begins, *descriptors):
            os.close(descriptor)
        return None

    def _reap(self, *_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                status = os.waitstatus_to_exitcode(ended[1])
                say(self._asked.pop(ended[0]), pid=ended[0], status=status)


def read_order(channel: socket.socket) -> tuple[Order, list[int]]:
    """An order with its descriptors; raises OSError or ValueError for none."""
    _, descriptors, *_ = socket.recv_fds(channel, 1, 2)
    with channel.makefile("rb") as lines:
        order: Order = json.loads(lines.readline())
    return order, descriptors


def say(channel: socket.socket, **fields: object) -> None:
    """One line; who asked may be gone."""
    with suppress(OSError):
        channel.sendall(json.dumps(fields).encode() + b"\n")


def become_child(descriptors: list[int]) -> None:
    """A session and group of its own, registered before anything else happens."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    output, lifeline = descriptors
    os.write(lifeline, f"+ {os.getpid()}\n".encode())
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    for descriptor in (nothing, *descriptors):
        os.close(descriptor)


def run(order: Order) -> None:
    """What `python -m` does, in the folder and environment of the order."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    if not sys.flags.safe_path:
        sys.path[0] = order["cwd"]
    module, *arguments = order["command"]
    sys.argv = ["-m", *arguments]
    sys.orig_argv = [sys.executable, "-m", module, *arguments]
    become_main(ModuleType("__main__"))
    # Not public, but it is what -m calls; `run_module` puts this program's __main__
    # back, which threads and exit handlers of the target would then see.
    runpy._run_module_as_main(module)  # type: ignore[attr-defined]


def become_main(module: ModuleType) -> None:
    """In every place where this program is, as `__mp_main__` of multiprocessing."""
    ours = sys.modules["__main__"]
    for name in [name for name, one in sys.modules.items() if one is ours]:
        sys.modules[name] = module


if __name__ == "__main__":
    main(*sys.argv[1:])
