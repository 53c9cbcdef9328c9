"""The profile `broadcast`: "the shared chat: everybody sees everything"."""

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server import clock
from reference_server.clock import CreationClock
from reference_server.connections import Connection
from reference_server.core import validation
from reference_server.core.event_log import Event, Kind
from reference_server.core.message import Draft, Json, Value
from reference_server.core.resume import Decision, Reset, Resume
from reference_server.core.validation import Refused
from reference_server.core.window import Item
from reference_server.settings import Settings
from reference_server.stream import EventStream, Opening
from reference_server.web import answer, no_content, read_body, route

if TYPE_CHECKING:
    from reference_server.components import Components

# Section 3 leaves the page of this profile open; the others have 200.
PAGE_SIZE = 200


class Broadcast:
    """State and rules of the profile; knows no HTTP.

    The order of a write: commit, window and event log, fan-out, answer. One lock makes
    commit order the order of everything.
    """

    def __init__(self, settings: Settings, parts: "Components") -> None:
        self.settings = settings
        self.parts = parts
        self.frames = parts.frames()
        self.store = parts.store(settings.database, "broadcast_messages")
        self.window = parts.window(limit=settings.message_limit)
        self.log = parts.event_log(
            epoch=parts.new_epoch(),
            limit=settings.event_log_limit,
            render=self.frames.event,
        )
        self.channel = parts.channel()
        self.connections = parts.connections(patience_s=settings.patience_s)
        self.creation_clock = CreationClock(0)
        self.closing = False
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Fill the window from the database; the event log starts empty."""
        await asyncio.to_thread(self.store.open)
        loaded = await asyncio.to_thread(self.store.load, self.settings.message_limit)
        self.window.fill(loaded.rows, stored=loaded.stored)
        self.creation_clock = CreationClock(self.window.newest_created_at)

    def end_streams(self) -> None:
        """The server goes: end every stream and take no new one."""
        self.closing = True
        self.connections.end_all()

    async def stop(self) -> None:
        """Let the write that runs finish, then close the database."""
        self.end_streams()
        async with self._lock:
            await asyncio.to_thread(self.store.close)

    async def create(self, draft: Draft) -> Item:
        """Store, show and announce a new message.

        Shielded: a cancelled request must not leave a commit without its event.
        """
        return await asyncio.shield(self._create(draft))

    async def update(self, message_id: int, text: str) -> Item:
        """Change the text of an interactive message."""
        return await asyncio.shield(self._update(message_id, text))

    async def delete(self, message_id: int) -> None:
        """Delete an interactive message."""
        await asyncio.shield(self._delete(message_id))

    async def _create(self, draft: Draft) -> Item:
        async with self._lock:
            value = Value(
                author=draft.author,
                text=draft.text,
                created_at=self.creation_clock.next_ms(),
                nonce=draft.nonce,
            )
            row = await asyncio.to_thread(self.store.insert, value)
            item = self.window.add(row, value)
            self.announce(Kind.CREATE, item.wire())
        return item

    async def _update(self, message_id: int, text: str) -> Item:
        async with self._lock:
            old = self.interactive(message_id)
            updated_at = max(clock.now_ms(), old.value.created_at)
            value = replace(old.value, text=text, updated_at=updated_at)
            await asyncio.to_thread(self.store.update, old.row, value)
            item = self.window.update(message_id, value)
            self.announce(Kind.UPDATE, item.wire())
        return item

    async def _delete(self, message_id: int) -> None:
        async with self._lock:
            old = self.interactive(message_id)
            await asyncio.to_thread(self.store.delete, old.row)
            self.window.remove(message_id)
            self.announce(Kind.DELETE, {"id": message_id})

    def interactive(self, message_id: int) -> Item:
        """Section 1: "a message inside [the window] is *interactive*"."""
        item = self.window.get(message_id)
        if item is None:
            raise Refused(404, "not_interactive", f"no message {message_id} to change")
        return item

    def announce(self, kind: Kind, data: Json) -> None:
        """event/logged-before-sent: log first, then fan out; one synchronous step."""
        entry = self.log.append(Event(kind, data))
        self.channel.publish(entry)

    async def snapshot(self) -> Json:
        """`GET /init`: from memory, data and cursor of the same moment."""
        return self.window.snapshot() | {"cursor": self.log.cursor}

    async def page(self, load_from: int) -> list[Value]:
        """`GET /history`: the newest messages older than `load_from`."""
        return await asyncio.to_thread(self.store.page, load_from, PAGE_SIZE)

    def open_stream(self, cursor: str | None) -> EventStream:
        """Decide, register and take the replay in one synchronous step.

        Nothing can be committed in between, so replay and live events join without gap
        or repeat, and the ping frame leaves after the registration.
        """
        if self.closing:
            raise Refused(503, "closing", "the server is going down")
        return self.stream_for(self.decision(cursor))

    def decision(self, cursor: str | None) -> Decision:
        """What the table says about `cursor` now."""
        return self.parts.decide(
            cursor, epoch=self.log.epoch, head=self.log.head, oldest=self.log.oldest
        )

    def stream_for(self, decision: Decision) -> EventStream:
        """A new connection; one that is only reset is not registered."""
        connection = self.parts.connection(
            connection_id=self.parts.new_connection_id(),
            queue_limit=self.settings.queue_limit,
        )
        if not isinstance(decision, Reset):
            self.register(connection)
        return self.parts.stream(
            self.opening(connection, decision),
            frames=self.frames,
            keepalive_s=self.settings.keepalive_s,
        )

    def register(self, connection: Connection) -> None:
        """Live events and the ping watchdog from now on."""
        self.channel.join(connection)
        self.connections.register(connection)

    def opening(self, connection: Connection, decision: Decision) -> Opening:
        """The frames that come before the live ones."""
        if isinstance(decision, Reset):
            reset = self.frames.reset(decision.reason)
            return Opening(
                connection=connection, ping=self.ping_frame(connection), reset=reset
            )
        if isinstance(decision, Resume):
            replay = tuple(entry.frame for entry in self.log.after(decision.after))
            return Opening(
                connection=connection, ping=self.ping_frame(connection), replay=replay
            )
        ping = self.ping_frame(connection, cursor=self.log.cursor)
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


class BroadcastApi:
    """The calls of section 3 that list `broadcast`."""

    def __init__(self, service: Broadcast) -> None:
        self.service = service
        self.max_body_bytes = service.settings.max_body_bytes

    def routes(self) -> list[Route]:
        """Mounted at `/broadcast`."""
        return [
            route("/broadcast/init", GET=self.init),
            route("/broadcast/history", GET=self.history),
            route("/broadcast/messages", POST=self.create),
            route("/broadcast/messages/{id}", PATCH=self.update, DELETE=self.delete),
            route("/broadcast/events", GET=self.events),
            route("/broadcast/ping", POST=self.ping),
        ]

    async def init(self, _: Request) -> ASGIApp:
        """init/from-cache."""
        return answer(await self.service.snapshot())

    async def history(self, request: Request) -> ASGIApp:
        """history/not-interactive: "history pages carry no window ids"."""
        load_from = validation.parse_load_from(request.query_params.get("loadFrom"))
        page = await self.service.page(load_from)
        return answer({"messages": [{"value": value.wire()} for value in page]})

    async def create(self, request: Request) -> ASGIApp:
        """201 with the stored message."""
        body = await read_body(request, self.max_body_bytes)
        item = await self.service.create(validation.parse_draft(body))
        return answer(item.wire(), 201)

    async def update(self, request: Request) -> ASGIApp:
        """`PATCH` takes `{text}`, answers the new `{id, value}`."""
        body = await read_body(request, self.max_body_bytes)
        text = validation.parse_patch(body)
        item = await self.service.update(self.message_id(request), text)
        return answer(item.wire())

    async def delete(self, request: Request) -> ASGIApp:
        """204."""
        await self.service.delete(self.message_id(request))
        return no_content()

    async def events(self, request: Request) -> ASGIApp:
        """The SSE stream."""
        return self.service.open_stream(self.cursor(request))

    async def ping(self, request: Request) -> ASGIApp:
        """204; "unknown or closed connection: 404"."""
        connection_id = request.query_params.get("id")
        if not connection_id:
            raise Refused(400, "bad_query", "ping needs the id of a connection")
        if not self.service.connections.ping(connection_id):
            raise Refused(404, "unknown_connection", "no such open connection")
        return no_content()

    def cursor(self, request: Request) -> str | None:
        """resume/header-wins: "header beats query when both are given"."""
        header = request.headers.get("last-event-id")
        return header or request.query_params.get("lastEventId")

    def message_id(self, request: Request) -> int:
        """What cannot be a window id is "not interactive or unknown: 404"."""
        message_id = validation.parse_message_id(request.path_params["id"])
        if message_id is None:
            raise Refused(404, "not_interactive", "no message has such an id")
        return message_id
