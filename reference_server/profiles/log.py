"""The profile `log`: "no event log at all; a reconnect is answered from the database".

A cursor is a database id; 0 stands before the first message.
"""

import asyncio
import re
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server.connections import Connection
from reference_server.core.event_log import Entry, Event, Kind
from reference_server.core.message import Json
from reference_server.database import Database, StoreUnavailableError
from reference_server.settings import Settings
from reference_server.stream import EventStream, Opening
from reference_server.web import route

if TYPE_CHECKING:
    from reference_server.components import Components

REPLAY_SIZE = 200

_CURSOR = re.compile(r"0|[1-9][0-9]{0,17}")


def place_of(cursor: str) -> int:
    """Section 3: "a malformed cursor is answered like one before the first message"."""
    return int(cursor) if _CURSOR.fullmatch(cursor) else 0


class Log:
    """Personal chats in which creation is the only event.

    Writes come one at a time, so ids rise in commit order, which is the events' order.
    """

    def __init__(
        self, settings: Settings, parts: "Components", database: Database
    ) -> None:
        self.parts = parts
        self.chat = parts.personal_chat(
            parts, database, table="log_messages", announce=self.announce
        )
        self.channels = parts.channels(parts.channel)
        self.streams = parts.streams(settings, parts)

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the server does."""
        return [self.chat.writes.keep_settled(), self.streams.connections.watch()]

    def announce(self, uid: str, kind: Kind, data: Json) -> None:
        """private/all-tabs."""
        self.channels.publish(uid, self.entry(Event(kind, data)))

    def entry(self, event: Event) -> Entry:
        """event/payload: the same bytes live and from the database."""
        number = event.data["id"]
        return Entry(number, event, self.streams.frames.event(str(number), event))

    async def snapshot(self, uid: str) -> Json:
        """The newest page; "the position" is its last message."""
        page = await self.chat.page(uid, None)
        head = page.messages[-1].id if page.messages else 0
        return page.wire() | {"cursor": str(head)}

    async def open_stream(self, uid: str, cursor: str | None) -> EventStream:
        """Join the channel first, then read: what is committed meanwhile is queued.

        An error of the database is the answer, and nothing is left in the channel.
        """
        connection = self.streams.connection(uid)
        self.streams.join(connection, partial(self.channels.join, uid))
        try:
            opening = await self.opening(connection, uid, cursor)
        except BaseException:
            connection.end()
            raise
        self.streams.watch(connection)
        return self.streams.stream(opening)

    async def opening(
        self, connection: Connection, uid: str, cursor: str | None
    ) -> Opening:
        """Fresh: the ping frame carries the head. Resumed: the first of the replay."""
        if not cursor:
            head = await asyncio.to_thread(self.chat.store.head, uid)
            connection.skip_to(head)
            ping = self.streams.ping_frame(connection, cursor=str(head))
            return Opening(connection=connection, ping=ping)
        replay = self.parts.replay(self, uid, connection, place_of(cursor))
        first = await replay.read()
        ping = self.streams.ping_frame(connection)
        return Opening(connection=connection, ping=ping, replay=first, more=replay.more)


class Replay:
    """The messages after a cursor, page by page, until the live events take over.

    A message that comes both ways, because it was committed after the joining and
    before the reading, or because its commit became known later still, is skipped in
    the queue: ids tell.
    """

    def __init__(
        self, service: Log, uid: str, connection: Connection, place: int
    ) -> None:
        self.service = service
        self.uid = uid
        self.connection = connection
        self.place = place
        self.is_over = False

    async def read(self) -> tuple[Entry, ...]:
        """The next page. A place in the future is brought back to the head."""
        store = self.service.chat.store
        later = await asyncio.to_thread(store.after, self.uid, self.place, REPLAY_SIZE)
        self.is_over = len(later.messages) < REPLAY_SIZE
        self.place = later.messages[-1].id if later.messages else later.head
        self.connection.skip_to(self.place)
        events = (Event(Kind.CREATE, each.wire()) for each in later.messages)
        return tuple(self.service.entry(event) for event in events)

    async def more(self) -> tuple[Entry, ...]:
        """The same once the answer has begun: an error can only end the stream."""
        if self.is_over:
            return ()
        try:
            return await self.read()
        except StoreUnavailableError:
            self.connection.end()
            return ()


class LogApi:
    """The calls of section 3 that list `log`."""

    def __init__(self, service: Log, parts: "Components", settings: Settings) -> None:
        self.service = service
        self.streams = parts.stream_calls(service.streams)
        self.personal = parts.personal_calls(service.chat, settings)

    def routes(self) -> list[Route]:
        """Mounted at `/log`."""
        return [
            route("/log/history", GET=self.history),
            route("/log/events", GET=self.events),
            route("/log/ping", POST=self.ping),
            *self.personal.routes("/log"),
        ]

    async def history(self, request: Request) -> ASGIApp:
        """The newest page with a cursor, older ones without."""
        return await self.personal.history(request, self.service.snapshot)

    async def events(self, request: Request) -> ASGIApp:
        """The SSE stream."""
        uid = self.personal.uid(request)
        return await self.service.open_stream(uid, self.streams.cursor(request))

    async def ping(self, request: Request) -> ASGIApp:
        """204, for the owner."""
        return self.streams.ping(request, self.personal.uid(request))
