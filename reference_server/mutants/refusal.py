"""Mutants of write/before-broadcast and init/from-cache: when the database refuses."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_server.components import Components
from reference_server.core.event_log import Kind
from reference_server.core.message import Draft, Json, Value
from reference_server.core.window import Item
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import Broadcast
from reference_server.store import Store, StoreUnavailableError

Refusal = Callable[[Broadcast], None]


@mutant("refused-create-taken-back", "write/before-broadcast")
def refused_create_taken_back(parts: Components) -> Components:
    """A new message is sent before it is stored, and deleted again if it is not."""

    class Hasty(Broadcast):
        async def _create(self, draft: Draft) -> Item:
            async with self._lock:
                value = _value(self, draft)
                item = self.window.add(0, value)
                self.announce(Kind.CREATE, item.wire())
                try:
                    row = await asyncio.to_thread(self.store.insert, value)
                except StoreUnavailableError:
                    self.window.remove(item.id)
                    self.announce(Kind.DELETE, {"id": item.id})
                    raise
                self.window.by_id[item.id] = replace(item, row=row)
            return item

    return replace(parts, broadcast=Hasty)


@mutant("sent-before-commit-returns", "write/before-broadcast")
def sent_before_commit_returns(parts: Components) -> Components:
    """A new message is sent when its INSERT has succeeded, before its COMMIT has."""

    class Telling(Store):
        tell: Callable[[int, Value], object]

        def insert(self, value: Value) -> int:
            with self.transaction() as connection:
                columns = {c.name: getattr(value, c.name, None) for c in self.table.c}
                del columns["id"]
                done = connection.execute(self.table.insert().values(columns))
                self.tell(int(done.lastrowid), value)
            return int(done.lastrowid)

    class Hasty(Broadcast):
        async def _create(self, draft: Draft) -> Item:
            loop, shown = asyncio.get_running_loop(), list[Item]()

            def show(row: int, value: Value) -> None:
                shown.append(self.window.add(row, value))
                self.announce(Kind.CREATE, shown[0].wire())

            async with self._lock:
                assert isinstance(self.store, Telling)
                self.store.tell = lambda row, value: loop.call_soon_threadsafe(
                    show, row, value
                )
                await asyncio.to_thread(self.store.insert, _value(self, draft))
            return shown[0]

    return replace(parts, store=Telling, broadcast=Hasty)


@mutant("update-before-commit", "write/before-broadcast")
def update_before_commit(parts: Components) -> Components:
    """An update is sent before the database has taken it."""

    class Hasty(Broadcast):
        async def _update(self, message_id: int, text: str) -> Item:
            old = self.interactive(message_id)
            early = replace(old, value=replace(old.value, text=text))
            self.announce(Kind.UPDATE, early.wire())
            async with self._lock:
                await asyncio.to_thread(self.store.update, old.row, early.value)
                return self.window.update(message_id, early.value)

    return replace(parts, broadcast=Hasty)


@mutant("delete-before-commit", "write/before-broadcast")
def delete_before_commit(parts: Components) -> Components:
    """A delete is sent before the database has taken it."""

    class Hasty(Broadcast):
        async def _delete(self, message_id: int) -> None:
            old = self.interactive(message_id)
            self.announce(Kind.DELETE, {"id": message_id})
            async with self._lock:
                await asyncio.to_thread(self.store.delete, old.row)
                self.window.remove(message_id)

    return replace(parts, broadcast=Hasty)


@mutant("refused-create-acknowledged", "write/before-broadcast")
def refused_create_acknowledged(parts: Components) -> Components:
    """A new message that the database refused is answered with 201."""

    class Lying(Broadcast):
        async def _create(self, draft: Draft) -> Item:
            try:
                return await super()._create(draft)
            except StoreUnavailableError:
                return Item(self.window.last_id + 1, 0, _value(self, draft))

    return replace(parts, broadcast=Lying)


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

    class Sulking(Store):
        has_refused = False

        def insert(self, value: Value) -> int:
            try:
                if self.has_refused:
                    raise StoreUnavailableError("it has refused before")
                return super().insert(value)
            except StoreUnavailableError:
                self.has_refused = True
                raise

    return replace(parts, store=Sulking)


@mutant("refusal-ends-streams", "write/before-broadcast")
def refusal_ends_streams(parts: Components) -> Components:
    """When the database refuses a new message every stream is ended."""
    return _upon_refusal(parts, lambda service: service.connections.end_all())


@mutant("refused-create-in-window", "init/from-cache")
def refused_create_in_window(parts: Components) -> Components:
    """A new message is put into the window before it is stored, and stays there."""

    class Hasty(Broadcast):
        async def _create(self, draft: Draft) -> Item:
            async with self._lock:
                value = _value(self, draft)
                item = self.window.add(0, value)
                row = await asyncio.to_thread(self.store.insert, value)
                self.window.by_id[item.id] = item = replace(item, row=row)
                self.announce(Kind.CREATE, item.wire())
            return item

    return replace(parts, broadcast=Hasty)


@mutant("init-empty-after-refusal", "init/from-cache")
def init_empty_after_refusal(parts: Components) -> Components:
    """When the database refuses a new message the window is emptied."""
    return _upon_refusal(parts, lambda service: service.window.by_id.clear())


@mutant("init-stale-without-database", "init/from-cache")
def init_stale_without_database(parts: Components) -> Components:
    """/init asks the database; when it is away, it shows what it had at the start."""

    class Stale(Broadcast):
        async def start(self) -> None:
            await super().start()
            self.at_start = self.window.snapshot()

        async def snapshot(self) -> Json:
            try:
                await asyncio.to_thread(self.store.load, self.settings.message_limit)
            except StoreUnavailableError:
                return self.at_start | {"cursor": self.log.cursor}
            return await super().snapshot()

    return replace(parts, broadcast=Stale)


def _value(service: Broadcast, draft: Draft) -> Value:
    return Value(
        author=draft.author,
        text=draft.text,
        created_at=service.creation_clock.next_ms(),
        nonce=draft.nonce,
    )


def _upon_refusal(parts: Components, do: Refusal) -> Components:
    """Components that also do this when a new message cannot be stored."""

    class Upset(Broadcast):
        async def _create(self, draft: Draft) -> Item:
            try:
                return await super()._create(draft)
            except StoreUnavailableError:
                do(self)
                raise

    return replace(parts, broadcast=Upset)
