"""Refuses what cannot be simulated: real sockets, processes and threads of the target.

An audit hook sees every one of them, whichever library opens it; threads have none
in Python 3.11, so starting one is looked at where it is done.
"""

import _posixsubprocess
import _thread
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn
from unittest.mock import patch

from harness.sim.life import LIFE

_REFUSED = {
    "socket.connect": "connected a socket to {1!r}",
    "socket.sendto": "sent to the address {1!r}",
    "socket.bind": "bound a socket to {1!r}",
    "socket.getaddrinfo": "looked up the host {0!r}",
    "subprocess.Popen": "started the program {0!r}",
    "os.system": "ran the command {0!r}",
    "os.posix_spawn": "started the program {0!r}",
    "os.exec": "became the program {0!r}",
    "os.fork": "forked",
    "pty.spawn": "started the program {0!r}",
    "os.killpg": "sent a signal to the process group {0!r}",
    "os.kill": "sent a signal to process {0!r}",
}
"""Audit events, and what the target did in words."""

LOOP_CALLS = (
    *("add_reader", "add_writer", "remove_reader", "remove_writer"),
    *("sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom"),
    *("sock_recvfrom_into", "sock_sendall", "sock_sendfile", "sock_sendto"),
    *("connect_accepted_socket", "connect_read_pipe", "connect_write_pipe"),
    *("create_connection", "create_datagram_endpoint", "create_unix_connection"),
    *("create_unix_server", "getaddrinfo", "getnameinfo", "sendfile", "start_tls"),
    *("subprocess_exec", "subprocess_shell", "run_forever", "stop"),
)
"""What a loop offers and the simulated one has not."""

WAY_OUT = (
    "the sim arm has no real sockets, processes or threads: run it with --arm live"
)


class Refused(RuntimeError):
    """What the target gets to see instead of its socket, program or thread."""


class Refusals:
    """While entered, `tell` is called with what was refused to a target."""

    _current: "Refusals | None" = None
    _hooked = False

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._patches = [
            patch.object(threading.Thread, "start", _guarded(threading.Thread.start)),
            patch.object(
                _thread, "start_new_thread", _guarded(_thread.start_new_thread)
            ),
            patch.object(
                _posixsubprocess, "fork_exec", _program(_posixsubprocess.fork_exec)
            ),
        ]

    def __enter__(self) -> None:
        if not Refusals._hooked:
            Refusals._hooked = True
            sys.addaudithook(_on_event)
        Refusals._current = self
        for one in self._patches:
            one.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Refusals._current = None
        for one in self._patches:
            one.stop()

    def refuse(self, did: str) -> NoReturn:
        """Tell, and raise at the place where it was tried."""
        text = f"the target {did}; {WAY_OUT}"
        self._tell(text)
        raise Refused(text)


def refuse(did: str) -> NoReturn:
    """Refuse what the target has tried."""
    assert Refusals._current is not None, "the target runs outside of a case"
    Refusals._current.refuse(did)


def refused_call(name: str) -> Callable[..., Any]:
    """A method of a loop that interrupts the case."""

    def refuse(self: Any, *args: Any, **options: Any) -> Any:
        del args, options
        text = f"the target called loop.{name}; {WAY_OUT}"
        self.interrupt(text)
        raise Refused(text)

    return refuse


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if event not in _REFUSED or Refusals._current is None:
        return
    life = LIFE.get()
    if life is None or (event == "socket.bind" and life.importing):
        return
    Refusals._current.refuse(_REFUSED[event].format(*args))


def _guarded(real: Callable[..., Any]) -> Callable[..., Any]:
    def start(*args: Any, **options: Any) -> Any:
        if LIFE.get() is not None and Refusals._current is not None:
            what = getattr(args[0], "name", None) or repr(args[0])
            Refusals._current.refuse(f"started the thread {what}")
        return real(*args, **options)

    return start


def _program(real: Callable[..., Any]) -> Callable[..., Any]:
    """What multiprocessing starts its helper by, unseen by any audit."""

    def fork_exec(*args: Any) -> Any:
        if LIFE.get() is not None and Refusals._current is not None:
            Refusals._current.refuse(f"started the program {args[0]!r}")
        return real(*args)

    return fork_exec
