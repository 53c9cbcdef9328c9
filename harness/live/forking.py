"""The program of a fork server: `python -m harness.live.forking FD MODULE...`.

Imports the modules, then forks for each order that comes over the socket FD: one byte
with two descriptors (output and lifeline, see `harness.live.process`), then a line of
JSON. It tells in lines of JSON that it is ready, which process it has made, and with
what status one has ended. Nothing of the harness is imported: the fork becomes the
target.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

Order = dict[str, Any]
"""`command` without Python and -m, `cwd`, `env`."""


def main(number: str, *modules: str) -> None:
    """Serve; returns only in a fork, when its program has ended."""
    channel = socket.socket(fileno=int(number))
    gc.disable()  # what is imported stays: nothing to collect, nothing to copy
    try:
        for module in modules:
            importlib.import_module(module)
    except BaseException as error:
        say(channel, trouble=f"{module}: {type(error).__name__}: {error}")
        return
    gc.freeze()
    say(channel, ready=True)
    order = next_order(channel)
    if order is not None:
        gc.enable()
        run(order)


def say(channel: socket.socket, **fields: object) -> None:
    """One line; who asked may be gone."""
    with suppress(BrokenPipeError, ConnectionResetError):
        channel.sendall(json.dumps(fields).encode() + b"\n")


def next_order(channel: socket.socket) -> Order | None:
    """Fork for each order; returns it in the fork, None at the end of the harness."""

    def reap(*_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                status = os.waitstatus_to_exitcode(ended[1])
                say(channel, pid=ended[0], status=status)

    signal.signal(signal.SIGCHLD, reap)
    with channel.makefile("rb") as lines:
        while True:
            begun, descriptors, *_ = socket.recv_fds(channel, 1, 2)
            if not begun:
                return None
            order: Order = json.loads(lines.readline())
            # Not before its number is told: an end without a beginning says nothing.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
            pid = os.fork()
            if not pid:
                become_child(descriptors)
                break
            say(channel, pid=pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            for descriptor in descriptors:
                os.close(descriptor)
    channel.close()
    return order


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
    sys.path[0] = order["cwd"]
    module, *arguments = order["command"]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
