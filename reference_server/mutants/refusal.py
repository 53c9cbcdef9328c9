"""Mutants of write/before-broadcast and init/from-cache: when the database refuses."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_server import clock
from reference_server.changes import deleting, inserting, updating
from reference_server.components import Components
from reference_server.core.event_log import Kind
from reference_server.core.message import Draft, Json, Value
from reference_server.core.window import Item
from reference_server.database import Database, StoreUnavailableError
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import Broadcast
from reference_server.settings import Settings
from reference_server.shared_chat import SharedChat
from reference_server.table import MessageTable

Refusal = Callable[[Broadcast], None]


class Early(SharedChat):
    """Puts a new message into the window before it is stored."""

    def early(self, draft: Draft) -> Item:
        """The message, of which the database knows nothing yet."""
        return self.window.add(0, draft.stamped(self.creation_clock.next_ms()))

    async def store_early(self, item: Item) -> Item:
        """What the database then says of it."""
        apply = partial(self.stored, item)
        return await self.writes.make(inserting(self.table, item.value, apply))

    def stored(self, item: Item, row: int) -> Item:
        """It has taken it."""
        self.window.by_id[item.id] = stored = replace(item, row=row)
        return stored


@mutant("refused-create-taken-back", "write/before-broadcast")
def refused_create_taken_back(parts: Components) -> Components:
    """A new message is sent before it is stored, and deleted again if it is not."""

    class Hasty(Early):
        async def _create(self, draft: Draft) -> Item:
            item = self.early(draft)
            self.announce(Kind.CREATE, item.wire())
            try:
                return await self.store_early(item)
            except StoreUnavailableError:
                self.deleted(item.id)
                raise

    return replace(parts, shared_chat=Hasty)


@mutant("sent-before-commit-returns", "write/before-broadcast")
def sent_before_commit_returns(parts: Components) -> Components:
    """A new message is sent when its INSERT has succeeded, before its COMMIT has."""

    class Telling(MessageTable):
        tell: Callable[[int, Value], object] | None = None

        def insert_in(
            self, connection: Connection, value: Value, uid: str | None
        ) -> int:
            row = super().insert_in(connection, value, uid)
            if self.tell is not None:
                self.tell(row, value)
            return row

    class Hasty(SharedChat):
        async def _create(self, draft: Draft) -> Item:
            loop, shown = asyncio.get_running_loop(), list[Item]()

            def show(row: int, value: Value) -> None:
                shown.append(self.created(row, value))

            assert isinstance(self.table, Telling)
            self.table.tell = lambda row, value: loop.call_soon_threadsafe(
                show, row, value
            )
            value = draft.stamped(self.creation_clock.next_ms())
            stored = inserting(self.table, value, lambda _: shown[0])
            return await self.writes.make(stored)

    return replace(parts, table=Telling, shared_chat=Hasty)


@mutant("update-before-commit", "write/before-broadcast")
def update_before_commit(parts: Components) -> Components:
    """An update is sent before the database has taken it."""

    class Hasty(SharedChat):
        async def _update(self, message_id: int, text: str) -> Item:
            old = self.interactive(message_id)
            value = old.value.edited(text, clock.now_ms())
            self.announce(Kind.UPDATE, replace(old, value=value).wire())
            apply = partial(self.window.update, message_id, value)
            return await self.writes.make(updating(self.table, old.row, value, apply))

    return replace(parts, shared_chat=Hasty)


@mutant("delete-before-commit", "write/before-broadcast")
def delete_before_commit(parts: Components) -> Components:
    """A delete is sent before the database has taken it."""

    class Hasty(SharedChat):
        async def _delete(self, message_id: int) -> None:
            old = self.interactive(message_id)
            self.announce(Kind.DELETE, {"id": message_id})
            apply = partial(self.window.remove, message_id)
            await self.writes.make(deleting(self.table, old.row, apply))

    return replace(parts, shared_chat=Hasty)


@mutant("refused-create-acknowledged", "write/before-broadcast")
def refused_create_acknowledged(parts: Components) -> Components:
    """A new message that the database refused is answered with 201."""

    class Lying(SharedChat):
        async def create(self, draft: Draft) -> Item:
            try:
                return await super().create(draft)
            except StoreUnavailableError:
                value = draft.stamped(self.creation_clock.next_ms())
                return Item(self.window.last_id + 1, 0, value)

    return replace(parts, shared_chat=Lying)


@mutant("refusal-blames-caller", "write/before-broadcast")
def refusal_blames_caller(parts: Components) -> Components:
    """A write that the database refused is answered with 409."""
    return replace(parts, middleware=_Blaming)


class _Blaming:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message.get("status") == 503 and scope["method"] != "GET":
                message = {**message, "status": 409}
            await send(message)

        await self.app(scope, receive, sending)


@mutant("refusal-for-ever", "write/before-broadcast")
def refusal_for_ever(parts: Components) -> Components:
    """Once the database has refused a new message, every later one is refused."""

    class Sulking(MessageTable):
        has_refused = False

        def insert(self, value: Value, uid: str | None = None) -> int:
            try:
                if self.has_refused:
                    raise StoreUnavailableError("it has refused before")
                return super().insert(value, uid)
            except StoreUnavailableError:
                self.has_refused = True
                raise

    return replace(parts, table=Sulking)


@mutant("refusal-ends-streams", "write/before-broadcast")
def refusal_ends_streams(parts: Components) -> Components:
    """When the database refuses a new message every stream is ended."""
    return _upon_refusal(parts, lambda service: service.streams.connections.end_all())


@mutant("refused-create-in-window", "init/from-cache")
def refused_create_in_window(parts: Components) -> Components:
    """A new message is put into the window before it is stored, and stays there."""

    class Hasty(Early):
        async def _create(self, draft: Draft) -> Item:
            return await self.store_early(self.early(draft))

        def stored(self, item: Item, row: int) -> Item:
            stored = super().stored(item, row)
            self.announce(Kind.CREATE, stored.wire())
            return stored

    return replace(parts, shared_chat=Hasty)


@mutant("init-empty-after-refusal", "init/from-cache")
def init_empty_after_refusal(parts: Components) -> Components:
    """When the database refuses a new message the window is emptied."""
    return _upon_refusal(parts, lambda service: service.chat.window.by_id.clear())


@mutant("init-stale-without-database", "init/from-cache")
def init_stale_without_database(parts: Components) -> Components:
    """/init asks the database; when it is away, it shows what it had at the start."""

    class Remembering(SharedChat):
        at_start: Json

        async def load(self) -> None:
            await super().load()
            self.at_start = self.window.snapshot()

    class Stale(Broadcast):
        async def snapshot(self) -> Json:
            chat = self.chat
            assert isinstance(chat, Remembering)
            try:
                await asyncio.to_thread(chat.store.load, chat.limit)
            except StoreUnavailableError:
                return chat.at_start | {"cursor": self.log.cursor}
            return await super().snapshot()

    return replace(parts, shared_chat=Remembering, broadcast=Stale)


def _upon_refusal(parts: Components, do: Refusal) -> Components:
    """Components that also do this when a new message cannot be stored."""

    class Touchy(SharedChat):
        upset: Callable[[], None] | None = None

        async def create(self, draft: Draft) -> Item:
            try:
                return await super().create(draft)
            except StoreUnavailableError:
                if self.upset is not None:
                    self.upset()
                raise

    class Upset(Broadcast):
        def __init__(
            self, settings: Settings, parts: Components, database: Database
        ) -> None:
            super().__init__(settings, parts, database)
            assert isinstance(self.chat, Touchy)
            self.chat.upset = partial(do, self)

    return replace(parts, shared_chat=Touchy, broadcast=Upset)
