"""The streams of one profile: how they open, are watched and end."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from reference_server.connections import Connection
from reference_server.core.event_log import EventLog
from reference_server.core.resume import Decision, Reset, Resume
from reference_server.core.validation import Refused
from reference_server.settings import Settings
from reference_server.stream import EventStream, Opening
from reference_server.web import no_content

if TYPE_CHECKING:
    from reference_server.components import Components

Join = Callable[[Connection], None]


class Streams:
    """Makes the answer to `GET /events` and remembers it until it ends."""

    def __init__(self, settings: Settings, parts: "Components") -> None:
        self.settings = settings
        self.parts = parts
        self.frames = parts.frames()
        self.connections = parts.connections(patience_s=settings.patience_s)
        self.closing = False

    def end(self) -> None:
        """The server goes: end every stream and take no new one."""
        self.closing = True
        self.connections.end_all()

    def open(
        self,
        decision: Decision,
        join: Join,
        *,
        log: EventLog | None,
        owner: str | None = None,
    ) -> EventStream:
        """Register and take the replay in one synchronous step.

        Nothing can be committed in between, so replay and live events join without gap
        or repeat, and the ping frame leaves after the registration. A stream that is
        only reset is not registered. `log` is None where there are no events yet.
        """
        connection = self.connection(owner)
        if not isinstance(decision, Reset):
            self.register(connection, join)
        return self.stream(self.opening(connection, decision, log))

    def connection(self, owner: str | None = None) -> Connection:
        """A new one, which nobody knows yet."""
        if self.closing:
            raise Refused(503, "closing", "the server is going down")
        return self.parts.connection(
            connection_id=self.parts.new_connection_id(),
            queue_limit=self.settings.queue_limit,
            owner=owner,
        )

    def register(self, connection: Connection, join: Join) -> None:
        """Live events and the ping watchdog from now on."""
        self.join(connection, join)
        self.watch(connection)

    def join(self, connection: Connection, join: Join) -> None:
        """Live events from now on."""
        join(connection)

    def watch(self, connection: Connection) -> None:
        """The ping watchdog from now on; too late once the server goes."""
        self.connections.register(connection)
        if self.closing:
            connection.end()

    def stream(self, opening: Opening) -> EventStream:
        """The ASGI response."""
        return self.parts.stream(
            opening, frames=self.frames, keepalive_s=self.settings.keepalive_s
        )

    def opening(
        self, connection: Connection, decision: Decision, log: EventLog | None
    ) -> Opening:
        """The frames that come before the live ones."""
        if isinstance(decision, Reset):
            ping = self.ping_frame(connection)
            reset = self.frames.reset(decision.reason)
            return Opening(connection=connection, ping=ping, reset=reset)
        if isinstance(decision, Resume) and log is not None:
            replay = log.after(decision.after)
            ping = self.ping_frame(connection)
            return Opening(connection=connection, ping=ping, replay=replay)
        ping = self.ping_frame(connection, cursor=None if log is None else log.cursor)
        return Opening(connection=connection, ping=ping)

    def ping_frame(self, connection: Connection, cursor: str | None = None) -> bytes:
        """On a fresh stream "`id:` = head at registration; on a resumed one no id"."""
        return self.frames.ping(
            connection.id,
            self.settings.ping_interval_ms,
            cursor=cursor,
            retry_ms=self.retry_ms(),
        )

    def retry_ms(self) -> int | None:
        """load/herd: "`retry` is spread", here up to half as long again."""
        base = self.settings.retry_ms
        if base is None:
            return None
        return base + secrets.randbelow(base // 2 + 1)


class StreamCalls:
    """What is the same in every profile's `/events` and `/ping`."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams

    def cursor(self, request: Request) -> str | None:
        """resume/header-wins: "header beats query when both are given"."""
        header = request.headers.get("last-event-id")
        return header or request.query_params.get("lastEventId")

    def ping(self, request: Request, owner: str | None = None) -> Response:
        """204; "unknown or closed connection: 404", and so is another uid's."""
        connection_id = request.query_params.get("id")
        if not connection_id:
            raise Refused(400, "bad_query", "ping needs the id of a connection")
        if not self.streams.connections.ping(connection_id, owner):
            raise Refused(404, "unknown_connection", "no such open connection")
        return no_content()
