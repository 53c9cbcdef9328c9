"""The profile `broadcast`: "the shared chat: everybody sees everything"."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server.core.event_log import Event, Kind
from reference_server.core.message import Json
from reference_server.core.resume import Decision
from reference_server.database import Database
from reference_server.settings import Settings
from reference_server.stream import EventStream
from reference_server.web import answer, route

if TYPE_CHECKING:
    from reference_server.components import Components


class Broadcast:
    """A chat that everybody sees, with one event log bounded by count."""

    def __init__(
        self, settings: Settings, parts: "Components", database: Database
    ) -> None:
        self.parts = parts
        self.chat = parts.shared_chat(
            settings,
            parts,
            database,
            table="broadcast_messages",
            announce=self.announce,
        )
        self.streams = parts.streams(settings, parts)
        self.log = parts.event_log(
            epoch=parts.new_epoch(),
            limit=settings.event_log_limit,
            render=self.streams.frames.event,
        )
        self.channel = parts.channel()

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the server does."""
        return [self.chat.writes.keep_settled(), self.streams.connections.watch()]

    def announce(self, kind: Kind, data: Json) -> None:
        """event/logged-before-sent: log first, then fan out; one synchronous step."""
        entry = self.log.append(Event(kind, data))
        self.channel.publish(entry)

    async def snapshot(self) -> Json:
        """`GET /init`: from memory, data and cursor of the same moment."""
        return self.chat.snapshot() | {"cursor": self.log.cursor}

    def open_stream(self, cursor: str | None) -> EventStream:
        """What becomes of the cursor, and the stream that follows from it."""
        return self.stream_for(self.decision(cursor))

    def decision(self, cursor: str | None) -> Decision:
        """What the table says about `cursor` now."""
        return self.parts.decide(
            cursor, epoch=self.log.epoch, head=self.log.head, oldest=self.log.oldest
        )

    def stream_for(self, decision: Decision) -> EventStream:
        """A new connection."""
        return self.streams.open(decision, self.channel.join, log=self.log)


class BroadcastApi:
    """The calls of section 3 that list `broadcast`."""

    def __init__(
        self, service: Broadcast, parts: "Components", settings: Settings
    ) -> None:
        self.service = service
        self.streams = parts.stream_calls(service.streams)
        self.shared = parts.shared_calls(service.chat, settings)

    def routes(self) -> list[Route]:
        """Mounted at `/broadcast`."""
        return [
            route("/broadcast/init", GET=self.init),
            route("/broadcast/events", GET=self.events),
            route("/broadcast/ping", POST=self.ping),
            *self.shared.routes("/broadcast"),
        ]

    async def init(self, _: Request) -> ASGIApp:
        """init/from-cache."""
        return answer(await self.service.snapshot())

    async def events(self, request: Request) -> ASGIApp:
        """The SSE stream."""
        return self.service.open_stream(self.streams.cursor(request))

    async def ping(self, request: Request) -> ASGIApp:
        """204."""
        return self.streams.ping(request)
