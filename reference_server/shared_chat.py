"""The chat that everybody sees, of whatever streams: `naive` and `broadcast`."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server import clock
from reference_server.changes import deleting, inserting, updating
from reference_server.clock import CreationClock
from reference_server.core import validation
from reference_server.core.event_log import Kind
from reference_server.core.message import Draft, Json, Value
from reference_server.core.validation import Refused
from reference_server.core.window import Item
from reference_server.database import Database, StoreUnavailableError
from reference_server.settings import Settings
from reference_server.web import answer, message_id, no_content, read_body, route

if TYPE_CHECKING:
    from reference_server.components import Components

# Section 3 leaves the page of these profiles open; the others have 200.
PAGE_SIZE = 200

Announce = Callable[[Kind, Json], None]


class SharedChat:
    """Table, message window and the rules of writing; `announce` sends the events."""

    def __init__(
        self,
        settings: Settings,
        parts: "Components",
        database: Database,
        *,
        table: str,
        announce: Announce,
    ) -> None:
        self.limit = settings.message_limit
        self.table = parts.table(database, table)
        self.store = parts.shared_store(self.table)
        self.window = parts.window(limit=self.limit)
        self.writes = parts.writes(self.load)
        self.creation_clock = CreationClock(0)
        self.is_loaded = False
        self.announce = announce

    async def load(self) -> None:
        """Fill the window from the database, once."""
        loaded = await asyncio.to_thread(self.store.load, self.limit)
        self.window.fill(loaded.messages, stored=loaded.stored)
        self.creation_clock = CreationClock(self.window.newest_created_at)
        self.is_loaded = True

    def snapshot(self) -> Json:
        """init/from-cache: the window, without a look at the database."""
        if not self.is_loaded:
            raise StoreUnavailableError("it has not been read since the start")
        return self.window.snapshot()

    async def page(self, load_from: int) -> list[Value]:
        """`GET /history`: the newest messages older than `load_from`."""
        return await asyncio.to_thread(self.store.page, load_from, PAGE_SIZE)

    async def create(self, draft: Draft) -> Item:
        """Store, show and announce a new message."""
        return await self.writes.run(partial(self._create, draft))

    async def update(self, message_id: int, text: str) -> Item:
        """Change the text of an interactive message."""
        return await self.writes.run(partial(self._update, message_id, text))

    async def delete(self, message_id: int) -> None:
        """Delete an interactive message."""
        await self.writes.run(partial(self._delete, message_id))

    async def _create(self, draft: Draft) -> Item:
        value = draft.stamped(self.creation_clock.next_ms())
        apply = partial(self.created, value=value)
        return await self.writes.make(inserting(self.table, value, apply))

    async def _update(self, message_id: int, text: str) -> Item:
        old = self.interactive(message_id)
        value = old.value.edited(text, clock.now_ms())
        apply = partial(self.updated, message_id, value)
        return await self.writes.make(updating(self.table, old.row, value, apply))

    async def _delete(self, message_id: int) -> None:
        old = self.interactive(message_id)
        apply = partial(self.deleted, message_id)
        await self.writes.make(deleting(self.table, old.row, apply))

    def created(self, row: int, value: Value) -> Item:
        """The message is committed: show and announce it."""
        item = self.window.add(row, value)
        self.announce(Kind.CREATE, item.wire())
        return item

    def updated(self, message_id: int, value: Value) -> Item:
        """The same for its new text."""
        item = self.window.update(message_id, value)
        self.announce(Kind.UPDATE, item.wire())
        return item

    def deleted(self, message_id: int) -> None:
        """The same for its end."""
        self.window.remove(message_id)
        self.announce(Kind.DELETE, {"id": message_id})

    def interactive(self, message_id: int) -> Item:
        """Section 1: "a message inside [the window] is *interactive*"."""
        item = self.window.get(message_id)
        if item is None:
            raise Refused(404, "not_interactive", f"no message {message_id} to change")
        return item


class SharedCalls:
    """The calls of section 3 that `naive` and `broadcast` answer alike."""

    def __init__(self, chat: SharedChat, settings: Settings) -> None:
        self.chat = chat
        self.max_body_bytes = settings.max_body_bytes

    def routes(self, mount: str) -> list[Route]:
        """Below `mount`."""
        return [
            route(f"{mount}/history", GET=self.history),
            route(f"{mount}/messages", POST=self.create),
            route(f"{mount}/messages/{{id}}", PATCH=self.update, DELETE=self.delete),
        ]

    async def history(self, request: Request) -> ASGIApp:
        """history/not-interactive: "history pages carry no window ids"."""
        load_from = validation.parse_load_from(request.query_params.get("loadFrom"))
        page = await self.chat.page(load_from)
        return answer({"messages": [{"value": value.wire()} for value in page]})

    async def create(self, request: Request) -> ASGIApp:
        """201 with the stored message."""
        body = await read_body(request, self.max_body_bytes)
        item = await self.chat.create(validation.parse_draft(body))
        return answer(item.wire(), 201)

    async def update(self, request: Request) -> ASGIApp:
        """`PATCH` takes `{text}`, answers the new `{id, value}`."""
        body = await read_body(request, self.max_body_bytes)
        text = validation.parse_patch(body)
        item = await self.chat.update(message_id(request), text)
        return answer(item.wire())

    async def delete(self, request: Request) -> ASGIApp:
        """204."""
        await self.chat.delete(message_id(request))
        return no_content()
