"""The chat of one uid with the support, of whatever streams: `log` and `private`.

A uid sees what carries its name and nothing else; an operator may write into it.
"""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable
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
from reference_server.core.message import Draft, Json, Message, Value
from reference_server.core.validation import Refused
from reference_server.database import Database
from reference_server.personal_store import Page
from reference_server.settings import Settings
from reference_server.web import answer, read_body, route

if TYPE_CHECKING:
    from reference_server.components import Components

# Section 3: "last 200 messages of this uid, or the 200 before ID".
PAGE_SIZE = 200

Announce = Callable[[str, Kind, Json], None]
Snapshot = Callable[[str], Awaitable[Json]]


class PersonalChat:
    """Table, rate limit and the rules of writing; `announce` sends the events."""

    def __init__(
        self,
        parts: "Components",
        database: Database,
        *,
        table: str,
        announce: Announce,
    ) -> None:
        self.table = parts.table(database, table)
        self.store = parts.personal_store(self.table)
        self.writes = parts.writes(self.load)
        self.rate_limit = parts.rate_limit()
        self.creation_clock = CreationClock(0)
        self.announce = announce

    async def load(self) -> None:
        """Times go on where the last life stopped."""
        newest = await asyncio.to_thread(self.table.newest_created_at)
        self.creation_clock = CreationClock(newest)

    async def page(self, uid: str, before: int | None) -> Page:
        """`GET /history`."""
        return await asyncio.to_thread(self.store.page, uid, before, PAGE_SIZE)

    async def create(self, uid: str, draft: Draft, arrived_s: float) -> Message:
        """Store and announce a message of the user; `arrived_s` on the loop's clock."""
        return await self.writes.run(partial(self._create, uid, draft, arrived_s))

    async def operate(self, uid: str, draft: Draft) -> Message:
        """The support writes: "The rate limit counts [...] not the operator's"."""
        return await self.writes.run(partial(self._create, uid, draft, None))

    async def update(self, uid: str, message_id: int, text: str) -> Message:
        """Change the text of one of the user's messages."""
        return await self.writes.run(partial(self._update, uid, message_id, text))

    async def delete(self, uid: str, message_id: int) -> None:
        """Delete one of the user's messages."""
        await self.writes.run(partial(self._delete, uid, message_id))

    async def _create(self, uid: str, draft: Draft, arrived_s: float | None) -> Message:
        if arrived_s is not None:
            self.check_rate(uid, arrived_s)
        value = draft.stamped(self.creation_clock.next_ms())
        apply = partial(self.created, uid=uid, value=value, arrived_s=arrived_s)
        return await self.writes.make(inserting(self.table, value, apply, uid=uid))

    async def _update(self, uid: str, message_id: int, text: str) -> Message:
        old = await self.owned(uid, message_id)
        value = old.value.edited(text, clock.now_ms())
        apply = partial(self.updated, uid, Message(message_id, value))
        return await self.writes.make(updating(self.table, message_id, value, apply))

    async def _delete(self, uid: str, message_id: int) -> None:
        await self.owned(uid, message_id)
        apply = partial(self.announce, uid, Kind.DELETE, {"id": message_id})
        await self.writes.make(deleting(self.table, message_id, apply))

    def created(
        self, row: int, *, uid: str, value: Value, arrived_s: float | None
    ) -> Message:
        """The message is committed: it counts, and it is announced."""
        if arrived_s is not None:
            self.rate_limit.note(uid, arrived_s)
        message = Message(row, value)
        self.announce(uid, Kind.CREATE, message.wire())
        return message

    def updated(self, uid: str, message: Message) -> Message:
        """The new text is committed."""
        self.announce(uid, Kind.UPDATE, message.wire())
        return message

    def check_rate(self, uid: str, arrived_s: float) -> None:
        """write/rate-limit; within a turn, so that parallel requests see each other."""
        wait_s = self.rate_limit.wait_s(uid, arrived_s)
        if wait_s > 0:
            headers = {"Retry-After": str(math.ceil(wait_s))}
            message = "more than one message a second"
            raise Refused(429, "too_fast", message, headers=headers)

    async def owned(self, uid: str, message_id: int) -> Message:
        """private/isolation: another uid's message is as unknown as one that is not."""
        found = await asyncio.to_thread(self.store.find, uid, message_id)
        if found is None:
            raise Refused(404, "not_interactive", f"no message {message_id} to change")
        return found


class PersonalCalls:
    """The calls of section 3 that `log` and `private` answer alike."""

    def __init__(self, chat: PersonalChat, settings: Settings) -> None:
        self.chat = chat
        self.max_body_bytes = settings.max_body_bytes
        self.operator_token = settings.operator_token

    def routes(self, mount: str) -> list[Route]:
        """Below `mount`; without a token the operator's call does not exist: 404."""
        routes = [route(f"{mount}/messages", POST=self.create)]
        if self.operator_token is not None:
            path = f"{mount}/operator/{{uid}}/messages"
            routes.append(route(path, POST=self.operate))
        return routes

    def uid(self, request: Request) -> str:
        """private/uid-required: the first thing that every call asks for."""
        return validation.parse_uid(";".join(request.headers.getlist("cookie")))

    def before(self, request: Request) -> int | None:
        """Where a page of the history ends."""
        return validation.parse_before(request.query_params.get("before"))

    async def history(self, request: Request, snapshot: Snapshot) -> ASGIApp:
        """The newest page is the profile's snapshot; older ones are the same in all."""
        uid, before = self.uid(request), self.before(request)
        if before is None:
            return answer(await snapshot(uid))
        return answer((await self.chat.page(uid, before)).wire())

    async def create(self, request: Request) -> ASGIApp:
        """201 with the stored message."""
        uid, arrived_s = self.uid(request), asyncio.get_running_loop().time()
        body = await read_body(request, self.max_body_bytes)
        draft = validation.parse_draft(body)
        return answer((await self.chat.create(uid, draft, arrived_s)).wire(), 201)

    async def operate(self, request: Request) -> ASGIApp:
        """The token stands for the cookie; the uid is the user's who is written to."""
        self.check_token(request)
        uid = request.path_params["uid"]
        if not validation.is_uid(uid):
            raise Refused(404, "unknown_uid", "no user can have this uid")
        body = await read_body(request, self.max_body_bytes)
        draft = validation.parse_draft(body)
        return answer((await self.chat.operate(uid, draft)).wire(), 201)

    def check_token(self, request: Request) -> None:
        """In constant time: how much of it is right must not show in the time."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given, wanted = token.encode("latin-1"), (self.operator_token or "").encode()
        is_right = secrets.compare_digest(given, wanted)
        if scheme.lower() != "bearer" or not is_right:
            headers = {"WWW-Authenticate": "Bearer"}
            message = "this call needs the operator's token"
            raise Refused(401, "no_token", message, headers=headers)
