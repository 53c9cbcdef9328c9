"""The parts that a server is made of, each behind a name so that it can be swapped.

Mutants swap them; the clean code knows nothing of mutants.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp

from reference_server.channel import Channel, Channels
from reference_server.connections import Connection, Connections
from reference_server.core.event_log import EventLog
from reference_server.core.frames import Frames
from reference_server.core.rate_limit import RateLimit
from reference_server.core.record import Record
from reference_server.core.resume import Decision, decide
from reference_server.core.window import Window
from reference_server.database import Database
from reference_server.personal_chat import PersonalCalls, PersonalChat
from reference_server.personal_store import PersonalStore
from reference_server.profiles.broadcast import Broadcast, BroadcastApi
from reference_server.profiles.log import Log, LogApi, Replay
from reference_server.profiles.naive import Naive, NaiveApi
from reference_server.profiles.private import Private, PrivateApi
from reference_server.shared_chat import SharedCalls, SharedChat
from reference_server.shared_store import SharedStore
from reference_server.stream import EventStream
from reference_server.streams import StreamCalls, Streams
from reference_server.table import MessageTable
from reference_server.writes import Writes


class Decide(Protocol):
    """See `core.resume.decide`."""

    def __call__(
        self, text: str | None, /, *, epoch: str, head: int, oldest: int
    ) -> Decision: ...


def new_token() -> str:
    """A random name: of an epoch, a record or a connection."""
    return secrets.token_hex(8)


def unchanged(app: ASGIApp) -> ASGIApp:
    """No middleware."""
    return app


@dataclass(frozen=True, kw_only=True)
class Components:
    """Classes and functions to build from; the defaults are the conforming ones."""

    database: type[Database] = Database
    table: type[MessageTable] = MessageTable
    shared_store: type[SharedStore] = SharedStore
    personal_store: type[PersonalStore] = PersonalStore
    writes: type[Writes] = Writes
    window: type[Window] = Window
    event_log: type[EventLog] = EventLog
    record: type[Record] = Record
    rate_limit: type[RateLimit] = RateLimit
    frames: type[Frames] = Frames
    decide: Decide = decide
    connection: type[Connection] = Connection
    connections: type[Connections] = Connections
    channel: type[Channel] = Channel
    channels: type[Channels] = Channels
    stream: type[EventStream] = EventStream
    streams: type[Streams] = Streams
    stream_calls: type[StreamCalls] = StreamCalls
    replay: type[Replay] = Replay
    shared_chat: type[SharedChat] = SharedChat
    shared_calls: type[SharedCalls] = SharedCalls
    personal_chat: type[PersonalChat] = PersonalChat
    personal_calls: type[PersonalCalls] = PersonalCalls
    naive: type[Naive] = Naive
    naive_api: type[NaiveApi] = NaiveApi
    broadcast: type[Broadcast] = Broadcast
    broadcast_api: type[BroadcastApi] = BroadcastApi
    log: type[Log] = Log
    log_api: type[LogApi] = LogApi
    private: type[Private] = Private
    private_api: type[PrivateApi] = PrivateApi
    new_epoch: Callable[[], str] = new_token
    new_record_name: Callable[[], str] = new_token
    new_connection_id: Callable[[], str] = new_token
    middleware: Callable[[ASGIApp], ASGIApp] = unchanged
