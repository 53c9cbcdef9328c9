"""The program of a fork server: `python .../harness/live/forking FD MODULE...`.

Imports the modules, then forks for each order. Orders come over the socket FD, or if
that listens over connections to it, from several processes of the harness: one byte
with two descriptors (output and lifeline, see `harness.live.process`), then a line of
JSON. It tells in lines of JSON that it is ready, which process it has made, and with
what status one has ended, whoever ordered that one.

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


ORDER_S = 1.0
"""How long an order may take to come in whole: meanwhile others wait."""


def main(number: str, *modules: str) -> None:
    """Serve; returns only in a fork, when its program has ended."""
    end = socket.socket(fileno=int(number))
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()
    gc.disable()  # what is imported stays: nothing to collect, nothing to copy
    trouble = imported(modules)
    gc.freeze()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or every fork would print it
    order = Server(end, trouble).serve()
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

    def __init__(self, end: socket.socket, trouble: str) -> None:
        self._trouble = trouble
        self._channels: list[socket.socket] = []
        self._asked: dict[int, socket.socket] = {}
        listens = end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        self._listeners = [end] if listens else []
        if not listens:
            self._welcome(end)

    def serve(self) -> Order:
        """Fork for each order; returns it, in the fork only."""
        signal.signal(signal.SIGCHLD, self._reap)
        while True:
            ready, _, _ = select.select([*self._listeners, *self._channels], [], [])
            for one in ready:
                if one in self._listeners:
                    with suppress(OSError):
                        self._welcome(one.accept()[0])
                elif (order := self._take(one)) is not None:
                    return order

    def _welcome(self, channel: socket.socket) -> None:
        channel.settimeout(ORDER_S)
        self._channels.append(channel)
        say(channel, **{"trouble": self._trouble} if self._trouble else {"ready": True})

    def _take(self, channel: socket.socket) -> Order | None:
        """Carry out an order; gives it to the fork."""
        try:
            order, descriptors = read_order(channel)
        except (OSError, ValueError):  # whoever it was is gone
            self._part(channel)
            return None
        # Not before its number is told: an end without a beginning says nothing.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            forked = self._fork(order["number"], descriptors, channel)
        except OSError:  # too many files or processes: who asked hears no more
            self._part(channel)
            forked = False
        if forked:
            return order
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _fork(self, number: int, descriptors: list[int], asker: socket.socket) -> bool:
        """Whether this is the fork now."""
        begins, begun = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(begins)
            for one in (*self._listeners, *self._channels):
                one.close()
            become_child(descriptors)
            os.close(begun)
            return True
        os.close(begun)
        os.read(begins, 1)  # its end: the fork leads its group, or is dead
        os.close(begins)
        self._asked[pid] = asker
        say(asker, number=number, pid=pid)
        return False

    def _part(self, channel: socket.socket) -> None:
        self._channels.remove(channel)
        channel.close()

    def _reap(self, *_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                channel = self._asked.pop(ended[0], None)
                if channel is not None:  # no process of a library's
                    status = os.waitstatus_to_exitcode(ended[1])
                    say(channel, pid=ended[0], status=status)


def read_order(channel: socket.socket) -> tuple[Order, list[int]]:
    """An order with its descriptors; raises OSError or ValueError for none."""
    _, descriptors, *_ = socket.recv_fds(channel, 1, 2)
    try:
        with channel.makefile("rb") as lines:
            order: Order = json.loads(lines.readline())
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
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
