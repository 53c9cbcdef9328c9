"""The parts that a server is made of, each behind a name so that it can be swapped.

Mutants swap them; the clean code knows nothing of mutants.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp

from reference_server.channel import Channel
from reference_server.connections import Connection, Connections
from reference_server.core.event_log import EventLog
from reference_server.core.frames import Frames
from reference_server.core.resume import Decision, decide
from reference_server.core.window import Window
from reference_server.profiles.broadcast import Broadcast, BroadcastApi
from reference_server.store import Store
from reference_server.stream import EventStream


class Decide(Protocol):
    """See `core.resume.decide`."""

    def __call__(
        self, text: str | None, /, *, epoch: str, head: int, oldest: int
    ) -> Decision: ...


def new_token() -> str:
    """A random name: of an epoch or of a connection."""
    return secrets.token_hex(8)


def unchanged(app: ASGIApp) -> ASGIApp:
    """No middleware."""
    return app


@dataclass(frozen=True, kw_only=True)
class Components:
    """Classes and functions to build from; the defaults are the conforming ones."""

    store: type[Store] = Store
    window: type[Window] = Window
    event_log: type[EventLog] = EventLog
    frames: type[Frames] = Frames
    decide: Decide = decide
    connection: type[Connection] = Connection
    connections: type[Connections] = Connections
    channel: type[Channel] = Channel
    stream: type[EventStream] = EventStream
    broadcast: type[Broadcast] = Broadcast
    broadcast_api: type[BroadcastApi] = BroadcastApi
    new_epoch: Callable[[], str] = new_token
    new_connection_id: Callable[[], str] = new_token
    middleware: Callable[[ASGIApp], ASGIApp] = unchanged
