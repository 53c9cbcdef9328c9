"""Mutants of write/*."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_server import clock
from reference_server.changes import inserting
from reference_server.components import Components
from reference_server.core import validation
from reference_server.core.event_log import Kind
from reference_server.core.frames import to_json
from reference_server.core.message import Draft, Json, Value
from reference_server.core.validation import Refused
from reference_server.core.window import Item, Window
from reference_server.database import StoreUnavailableError
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalCalls
from reference_server.shared_chat import SharedCalls, SharedChat
from reference_server.table import MessageTable
from reference_server.web import answer, no_content, read_body
from reference_server.writes import Writes

COMMIT_DELAY_S = 0.3
NO_LIMIT = 1 << 30


@mutant("late-commit", "write/durable")
def late_commit(parts: Components) -> Components:
    """A new message is acknowledged 300 ms before it is committed."""

    class Lazy(Writes):
        pending: tuple[asyncio.Task[None], ...] = ()

        async def catch_up(self) -> None:
            pending, self.pending = self.pending, ()
            await asyncio.gather(*pending)

        async def close(self) -> None:
            await self.catch_up()
            await super().close()

    class Late(SharedChat):
        def lazy(self) -> Lazy:
            assert isinstance(self.writes, Lazy)
            return self.writes

        async def _create(self, draft: Draft) -> Item:
            value = draft.stamped(self.creation_clock.next_ms())
            item = self.created(0, value)
            self.lazy().pending += (asyncio.create_task(self.commit(item)),)
            return item

        async def commit(self, item: Item) -> None:
            await asyncio.sleep(COMMIT_DELAY_S)
            with suppress(StoreUnavailableError):
                row = await asyncio.to_thread(self.table.insert, item.value)
                if item.id in self.window.by_id:
                    self.window.by_id[item.id] = replace(item, row=row)

        async def _update(self, message_id: int, text: str) -> Item:
            await self.lazy().catch_up()
            return await super()._update(message_id, text)

        async def _delete(self, message_id: int) -> None:
            await self.lazy().catch_up()
            await super()._delete(message_id)

    return replace(parts, writes=Lazy, shared_chat=Late)


@mutant("updates-in-memory", "write/durable")
def updates_in_memory(parts: Components) -> Components:
    """Updates never reach the database."""

    class Forgetful(MessageTable):
        def update(self, row: int, value: Value) -> None:
            pass

    return replace(parts, table=Forgetful)


@mutant("edit-times-in-memory", "write/durable")
def edit_times_in_memory(parts: Components) -> Components:
    """An update stores the new text, and not when it was made."""

    class Timeless(MessageTable):
        def update(self, row: int, value: Value) -> None:
            super().update(row, replace(value, updated_at=None))

    return replace(parts, table=Timeless)


@mutant("deletes-in-memory", "write/durable")
def deletes_in_memory(parts: Components) -> Components:
    """Deletes never reach the database."""

    class Forgetful(MessageTable):
        def delete(self, row: int) -> None:
            pass

    return replace(parts, table=Forgetful)


@mutant("broadcast-before-commit", "write/before-broadcast")
def broadcast_before_commit(parts: Components) -> Components:
    """A new message is sent before the database has taken it."""

    class Hasty(SharedChat):
        async def _create(self, draft: Draft) -> Item:
            value = draft.stamped(self.creation_clock.next_ms())
            early = Item(self.window.last_id + 1, 0, value)
            self.announce(Kind.CREATE, early.wire())
            apply = partial(self.window.add, value=value)
            return await self.writes.make(inserting(self.table, value, apply))

    return replace(parts, shared_chat=Hasty)


@mutant("evicted-patched", "write/interactive-only")
def evicted_patched(parts: Components) -> Components:
    """A PATCH of an evicted message is accepted and sent."""

    class Keeping(Window):
        def __init__(self, *, limit: int) -> None:
            super().__init__(limit=limit)
            self.evicted: dict[int, Item] = {}

        def evict(self) -> None:
            before = dict(self.by_id)
            super().evict()
            self.evicted |= {k: v for k, v in before.items() if k not in self.by_id}

    class Lenient(SharedChat):
        async def _update(self, message_id: int, text: str) -> Item:
            assert isinstance(self.window, Keeping)
            item = self.window.evicted.get(message_id)
            if item is None:
                return await super()._update(message_id, text)
            value = item.value.edited(text, clock.now_ms())
            await asyncio.to_thread(self.table.update, item.row, value)
            item = self.window.evicted[message_id] = replace(item, value=value)
            self.announce(Kind.UPDATE, item.wire())
            return item

    return replace(parts, window=Keeping, shared_chat=Lenient)


@mutant("unknown-delete-ok", "write/interactive-only")
def unknown_delete_ok(parts: Components) -> Components:
    """DELETE of a message that is not interactive answers 204."""

    class Lenient(SharedCalls):
        async def delete(self, request: Request) -> ASGIApp:
            with suppress(Refused):
                return await super().delete(request)
            return no_content()

    return replace(parts, shared_calls=Lenient)


@mutant("window-grows", "write/window-eviction")
def window_grows(parts: Components) -> Components:
    """The window evicts nothing."""

    class Growing(Window):
        def evict(self) -> None:
            pass

    return replace(parts, window=Growing)


@mutant("two-evicted", "write/window-eviction")
def two_evicted(parts: Components) -> Components:
    """A full window evicts two messages for a new one."""

    class Hasty(Window):
        def evict(self) -> None:
            if len(self.by_id) > max(self.limit, 2):
                del self.by_id[next(iter(self.by_id))]
                del self.by_id[next(iter(self.by_id))]
            super().evict()

    return replace(parts, window=Hasty)


@mutant("bad-json-crashes", "write/bad-input")
def bad_json_crashes(parts: Components) -> Components:
    """A POST that is not JSON is answered with 500."""

    class Fragile(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            try:
                return await super().create(request)
            except Refused as refused:
                if refused.code == "bad_json":
                    raise RuntimeError("mutant bad-json-crashes") from refused
                raise

    return replace(parts, shared_calls=Fragile)


@mutant("text-coerced", "write/bad-input")
def text_coerced(parts: Components) -> Components:
    """A text that is not a string is stored as one."""

    class Coercing(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            body = await read_body(request, self.max_body_bytes)
            fields = validation.parse_object(body)
            fields["text"] = str(fields.get("text"))
            draft = validation.parse_draft(to_json(fields))
            return answer((await self.chat.create(draft)).wire(), 201)

    return replace(parts, shared_calls=Coercing)


@mutant("oversize-accepted", "write/bad-input")
def oversize_accepted(parts: Components) -> Components:
    """A body over the limit is accepted, whatever the length of its text."""

    class Limitless(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            body = await read_body(request, NO_LIMIT)
            if len(body) <= self.max_body_bytes:
                draft = validation.parse_draft(body)
            else:
                draft = self.unlimited(body)
            return answer((await self.chat.create(draft)).wire(), 201)

        def unlimited(self, body: bytes) -> Draft:
            fields = validation.parse_object(body)
            anything = range(NO_LIMIT)
            author = validation.read_string(fields, "author", length=anything)
            text = validation.read_string(fields, "text", length=anything)
            return Draft(author=author, text=text, nonce=fields.get("nonce"))

    return replace(parts, shared_calls=Limitless)


@mutant("long-text-truncated", "write/bad-input")
def long_text_truncated(parts: Components) -> Components:
    """A text that is too long is cut and stored."""

    class Cutting(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            body = await read_body(request, self.max_body_bytes)
            fields = validation.parse_object(body)
            if isinstance(fields.get("text"), str):
                fields["text"] = fields["text"][: validation.TEXT.stop - 1]
            return await self.store(fields)

        async def store(self, fields: Json) -> ASGIApp:
            try:
                draft = validation.parse_draft(to_json(fields))
            except UnicodeEncodeError:
                raise Refused(422, "bad_value", "lone surrogate") from None
            return answer((await self.chat.create(draft)).wire(), 201)

    return replace(parts, shared_calls=Cutting)


@mutant("errors-without-body", "write/bad-input")
def errors_without_body(parts: Components) -> Components:
    """Refused writes are answered with 4xx but no error body."""
    return replace(parts, middleware=_Bodiless)


class _Bodiless:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def sending(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                refused = 400 <= message["status"] < 500
                message = _emptied(message) if refused else message
            elif refused:
                message = {**message, "body": b""}
            await send(message)

        write = "/messages" in scope.get("path", "")
        await self.app(scope, receive, sending if write else send)


def _emptied(message: Message) -> Message:
    kept = [pair for pair in message["headers"] if pair[0] == b"cache-control"]
    return {**message, "headers": [*kept, (b"content-length", b"0")]}


@mutant("bad-before-crashes", "write/bad-input", "log")
def bad_before_crashes(parts: Components) -> Components:
    """A `before` that is no number is answered with 500."""

    class Fragile(PersonalCalls):
        def before(self, request: Request) -> int | None:
            before = request.query_params.get("before")
            return None if before is None else int(before)

    return replace(parts, personal_calls=Fragile)


@mutant("personal-long-text", "write/bad-input", "private")
def personal_long_text(parts: Components) -> Components:
    """A text of more than 10,000 characters is cut and stored."""

    class Cutting(PersonalCalls):
        async def create(self, request: Request) -> ASGIApp:
            uid, arrived_s = self.uid(request), asyncio.get_running_loop().time()
            body = await read_body(request, self.max_body_bytes)
            fields = validation.parse_object(body)
            if isinstance(fields.get("text"), str):
                fields["text"] = fields["text"][: validation.TEXT.stop - 1]
            draft = validation.parse_draft(json.dumps(fields).encode())
            return answer((await self.chat.create(uid, draft, arrived_s)).wire(), 201)

    return replace(parts, personal_calls=Cutting)
