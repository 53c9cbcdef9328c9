"""The profile `private`: "per `uid` a record {events, next id} kept in memory"."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server.core import validation
from reference_server.core.cursor import Cursor
from reference_server.core.event_log import Event, Kind
from reference_server.core.message import Json
from reference_server.core.record import Record
from reference_server.core.resume import Decision, Reason, Reset
from reference_server.database import Database
from reference_server.settings import Settings
from reference_server.stream import EventStream
from reference_server.web import answer, message_id, no_content, read_body, route

if TYPE_CHECKING:
    from reference_server.components import Components

SNAPSHOT_TRIES = 3


class Private:
    """Personal chats, each with an event log bounded by age.

    An epoch is the server life's name and the record's own, so that a cursor of a
    record that was pruned away is never taken for one of its successor.
    """

    def __init__(
        self, settings: Settings, parts: "Components", database: Database
    ) -> None:
        self.settings = settings
        self.parts = parts
        self.chat = parts.personal_chat(
            parts, database, table="private_messages", announce=self.announce
        )
        self.channels = parts.channels(parts.channel)
        self.streams = parts.streams(settings, parts)
        self.life = parts.new_epoch()
        self.records: dict[str, Record] = {}

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the server does."""
        return [
            self.chat.writes.keep_settled(),
            self.streams.connections.watch(),
            self.keep_pruned(),
        ]

    def announce(self, uid: str, kind: Kind, data: Json) -> None:
        """event/logged-before-sent; the first event makes the record."""
        if uid not in self.records:
            self.records[uid] = self.new_record()
        entry = self.records[uid].append(Event(kind, data), self.now_ms())
        self.channels.publish(uid, entry)

    def new_record(self) -> Record:
        """With an epoch of its own: made anew is another "life of [the] id space"."""
        return self.parts.record(
            self.parts.event_log(
                epoch=self.new_epoch(), limit=None, render=self.streams.frames.event
            )
        )

    def new_epoch(self) -> str:
        """The life's name and a random one."""
        return self.life + self.parts.new_record_name()

    def now_ms(self) -> int:
        """The loop's clock: a wall clock that is set does not prune."""
        return int(asyncio.get_running_loop().time() * 1000)

    async def keep_pruned(self) -> None:
        """The sweep, "every 30 min" by default."""
        while True:
            await asyncio.sleep(self.settings.prune_every_ms / 1000)
            self.sweep(self.now_ms() - self.settings.retention_ms)

    def sweep(self, before_ms: int) -> None:
        """private/prune: "an empty record goes"."""
        for uid, record in list(self.records.items()):
            record.prune(before_ms)
            if record.is_empty:
                del self.records[uid]

    async def snapshot(self, uid: str) -> Json:
        """The newest page and a cursor of the same moment.

        That is given when nothing was written meanwhile. Where that is rare the page
        is read in a turn of its own, which everybody else waits for.
        """
        writes = self.chat.writes
        for _ in range(SNAPSHOT_TRIES):
            position = self.position(uid)
            page = await self.chat.page(uid, None)
            if writes.is_idle and position == self.position(uid):
                return page.wire() | position
        async with writes.turn():
            page = await self.chat.page(uid, None)
            return page.wire() | self.position(uid)

    def position(self, uid: str) -> Json:
        """The cursor of now; without a record there is none."""
        record = self.records.get(uid)
        return {} if record is None else {"cursor": record.log.cursor}

    def open_stream(self, uid: str, cursor: str | None) -> EventStream:
        """private/record-at-first-event: a stream looks for a record and makes none."""
        record = self.records.get(uid)
        return self.streams.open(
            self.decision(record, cursor),
            partial(self.channels.join, uid),
            log=None if record is None else record.log,
            owner=uid,
        )

    def decision(self, record: Record | None, cursor: str | None) -> Decision:
        """What the table says about `cursor` now; no record has no epoch."""
        if record is None:
            decision = self.parts.decide(cursor, epoch="", head=0, oldest=1)
        else:
            log = record.log
            decision = self.parts.decide(
                cursor, epoch=log.epoch, head=log.head, oldest=log.oldest
            )
        return self.explained(decision, cursor)

    def explained(self, decision: Decision, cursor: str | None) -> Decision:
        """Another epoch of this very life is that of a record that was pruned."""
        if decision != Reset(Reason.RESTARTED):
            return decision
        parsed = Cursor.parse(cursor or "")
        is_ours = parsed is not None and parsed.epoch.startswith(self.life)
        return Reset(Reason.EVICTED) if is_ours else decision


class PrivateApi:
    """The calls of section 3 that list `private`."""

    def __init__(
        self, service: Private, parts: "Components", settings: Settings
    ) -> None:
        self.service = service
        self.streams = parts.stream_calls(service.streams)
        self.personal = parts.personal_calls(service.chat, settings)

    def routes(self) -> list[Route]:
        """Mounted at `/private`."""
        return [
            route("/private/history", GET=self.history),
            route("/private/events", GET=self.events),
            route("/private/ping", POST=self.ping),
            route("/private/messages/{id}", PATCH=self.update, DELETE=self.delete),
            *self.personal.routes("/private"),
        ]

    async def history(self, request: Request) -> ASGIApp:
        """The newest page with a cursor, older ones without."""
        return await self.personal.history(request, self.service.snapshot)

    async def update(self, request: Request) -> ASGIApp:
        """`PATCH` takes `{text}`, answers the new `{id, value}`."""
        uid = self.personal.uid(request)
        body = await read_body(request, self.personal.max_body_bytes)
        text = validation.parse_patch(body)
        message = await self.service.chat.update(uid, message_id(request), text)
        return answer(message.wire())

    async def delete(self, request: Request) -> ASGIApp:
        """204."""
        uid = self.personal.uid(request)
        await self.service.chat.delete(uid, message_id(request))
        return no_content()

    async def events(self, request: Request) -> ASGIApp:
        """The SSE stream."""
        uid = self.personal.uid(request)
        return self.service.open_stream(uid, self.streams.cursor(request))

    async def ping(self, request: Request) -> ASGIApp:
        """204, for the owner."""
        return self.streams.ping(request, self.personal.uid(request))
