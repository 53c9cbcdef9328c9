"""What an arm supplies to a world: sockets with faults, a server to start and end.

Everything else - clients, witness, writers, waits, confirmed faults, the history -
is the same code on every arm.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import httpcore

from harness.core.fault import Close, Fault, FaultKind
from harness.core.nginx import Nginx
from harness.core.usage import Usage


class How(StrEnum):
    """How a server's life is ended."""

    TERM = "term"
    KILL = "kill"


class Bare(StrEnum):
    """A straight connection whose faults are made at the client's own socket.

    Cheap enough for many clients. It can be cut and refused, stop reading, or go
    silent as in a black hole; it can be neither slow nor cut at a byte.
    """

    WIDE = "wide"  # buffers as the kernel gives them
    NARROW = "narrow"  # so small that a reader who stops is soon felt


class Link(Protocol):
    """One participant's way to the server; its faults hit nobody else.

    `streams` and `calls` make the sockets of its event streams and of its other
    requests. With `close` RST every cut of this link is a reset.
    """

    @property
    def streams(self) -> httpcore.AsyncNetworkBackend: ...

    @property
    def calls(self) -> httpcore.AsyncNetworkBackend: ...

    async def apply(self, fault: Fault) -> None:
        """Begin a fault; raises `HarnessError` when this link cannot carry it out."""

    async def heal(self, fault: Fault) -> None:
        """End a fault that lasts."""

    async def aclose(self) -> None:
        """Close every connection and give everything back."""


class Box(Protocol):
    """A middlebox before the server: a process of its own, where its links end."""

    @property
    def version(self) -> str: ...

    def link(self, *, close: Close) -> Link:
        """A participant's way to it, with faults, and on to the server."""

    def check(self) -> None:
        """Raises `CouldNotRun` when it died by itself."""

    async def reload(self) -> None:
        """Have new workers serve what comes; the old ones finish, bounded or not."""

    async def restart(self) -> None:
        """End it with all that it carries, and start it again."""

    async def aclose(self) -> None:
        """End it; the case is over."""


class Network(Protocol):
    """Makes links; `direct` ones know no faults (witness, writers)."""

    def link(self, *, direct: bool, close: Close, bare: Bare | None = None) -> Link: ...

    async def middlebox(self, nginx: Nginx) -> Box:
        """Start one; raises `CouldNotRun`, or `NotApplicable` where there is none."""


class Server(Protocol):
    """The life of the target's process; each step is recorded by the arm."""

    @property
    def up(self) -> bool:
        """Whether it was started and has not ended."""

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        """Start it and wait until it is ready; raises `CouldNotRun` when it is not."""

    async def stop(self, how: How) -> None:
        """End it and wait for its exit."""

    async def pause(self) -> None:
        """Freeze it (SIGSTOP), and see that it is frozen."""

    async def resume(self) -> None:
        """Let it run on (SIGCONT)."""

    async def usage(self) -> Usage | None:
        """What it holds now; None when nobody can tell."""

    async def aclose(self) -> None:
        """End whatever of it is ours and still runs; the case is over."""


class Storage(Protocol):
    """What lies between the target and its database; one fault at a time."""

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """The faults that this arm has for this kind of database."""

    async def begin(self, fault: Fault, held: Callable[[], object]) -> None:
        """Begin a fault; `held` is called when it surely holds.

        A cut commit is armed only: `held` comes when one was caught and is cut.
        Raises `CouldNotRun` when it cannot be brought about.
        """

    async def end(self, fault: Fault) -> None:
        """End it: the database is as it was, or the target finds it so again."""
