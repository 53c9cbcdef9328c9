"""The profile `naive`: "no event ids; on every error the client [...] starts anew"."""

from collections.abc import Coroutine
from itertools import count
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server.core.event_log import Entry, Event, Kind
from reference_server.core.message import Json
from reference_server.core.resume import Fresh
from reference_server.database import Database
from reference_server.settings import Settings
from reference_server.stream import EventStream
from reference_server.web import answer, route

if TYPE_CHECKING:
    from reference_server.components import Components


class Naive:
    """A chat that everybody sees, and streams that nobody can resume."""

    def __init__(
        self, settings: Settings, parts: "Components", database: Database
    ) -> None:
        self.chat = parts.shared_chat(
            settings, parts, database, table="naive_messages", announce=self.announce
        )
        self.channel = parts.channel()
        self.streams = parts.streams(settings, parts)
        self.numbers = count(1)

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the server does."""
        return [self.chat.writes.keep_settled(), self.streams.connections.watch()]

    def announce(self, kind: Kind, data: Json) -> None:
        """Fan out; "`naive` sends no id at all"."""
        event = Event(kind, data)
        frame = self.streams.frames.event(None, event)
        self.channel.publish(Entry(next(self.numbers), event, frame))

    def open_stream(self) -> EventStream:
        """Always fresh, whatever cursor was sent."""
        return self.streams.open(Fresh(), self.channel.join, log=None)


class NaiveApi:
    """The calls of section 3 that list `naive`."""

    def __init__(self, service: Naive, parts: "Components", settings: Settings) -> None:
        self.service = service
        self.streams = parts.stream_calls(service.streams)
        self.shared = parts.shared_calls(service.chat, settings)

    def routes(self) -> list[Route]:
        """Mounted at `/naive`."""
        return [
            route("/naive/init", GET=self.init),
            route("/naive/events", GET=self.events),
            route("/naive/ping", POST=self.ping),
            *self.shared.routes("/naive"),
        ]

    async def init(self, _: Request) -> ASGIApp:
        """From memory, and without a cursor."""
        return answer(self.service.chat.snapshot())

    async def events(self, _: Request) -> ASGIApp:
        """The SSE stream."""
        return self.service.open_stream()

    async def ping(self, request: Request) -> ASGIApp:
        """204."""
        return self.streams.ping(request)
