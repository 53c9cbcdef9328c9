"""Mutants of private/isolation and private/uid-required."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Select, select
from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.channel import Channels
from reference_server.components import Components
from reference_server.connections import Connections
from reference_server.core.event_log import Entry, Kind
from reference_server.core.message import Message
from reference_server.core.validation import Refused, parse_draft, parse_uid
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalCalls, PersonalChat
from reference_server.personal_store import Later, Page, PersonalStore
from reference_server.profiles.log import LogApi
from reference_server.profiles.private import PrivateApi
from reference_server.web import answer, read_body

NOBODY = "nobody"


class Everybody(PersonalStore):
    """Asks for no uid."""

    def of(self, uid: str) -> Select[tuple[object, ...]]:
        """Everything of everybody."""
        del uid
        return select(self.messages.table)


@mutant("history-of-everybody", "private/isolation", "private")
def history_of_everybody(parts: Components) -> Components:
    """The pages before a message show everybody's messages; the newest is right."""

    class Leaking(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            if before is None:
                return super().page(uid, before, size)
            return Everybody(self.messages).page(uid, before, size)

    return replace(parts, personal_store=Leaking)


@mutant("page-before-anybodys-message", "private/isolation", "private")
def page_before_anybodys_message(parts: Components) -> Components:
    """The page before a message is of whoever's message that is."""

    class Leaking(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            columns = self.messages.columns
            owner = select(columns.uid).where(columns.id == before)
            with self.messages.database.transaction() as connection:
                found = connection.execute(owner).scalar_one_or_none()
            return super().page(found or uid, before, size)

    return replace(parts, personal_store=Leaking)


@mutant("replay-of-everybody", "private/isolation", "log")
def replay_of_everybody(parts: Components) -> Components:
    """A reconnect is answered with everybody's messages after the cursor."""

    class Leaking(PersonalStore):
        def after(self, uid: str, place: int, size: int) -> Later:
            return Everybody(self.messages).after(uid, place, size)

    return replace(parts, personal_store=Leaking)


@mutant("events-to-everybody", "private/isolation", "log")
def events_to_everybody(parts: Components) -> Components:
    """Every third live event goes to the streams of all uids."""

    class Leaking(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            everybody = list(self.by_uid) if entry.seq % 3 == 0 else [uid]
            for each in everybody:
                super().publish(each, entry)

    return replace(parts, channels=Leaking)


@mutant("deletes-to-everybody", "private/isolation", "private")
def deletes_to_everybody(parts: Components) -> Components:
    """Deletes go to the streams of all uids."""

    class Leaking(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            is_delete = entry.event.kind is Kind.DELETE
            for each in list(self.by_uid) if is_delete else [uid]:
                super().publish(each, entry)

    return replace(parts, channels=Leaking)


@mutant("foreign-patch", "private/isolation", "private")
def foreign_patch(parts: Components) -> Components:
    """PATCH changes whosoever's message."""

    class Lenient(PersonalChat):
        async def _update(self, uid: str, message_id: int, text: str) -> Message:
            self.store = Everybody(self.table)
            try:
                return await super()._update(uid, message_id, text)
            finally:
                self.store = PersonalStore(self.table)

    return replace(parts, personal_chat=Lenient)


@mutant("foreign-delete", "private/isolation", "private")
def foreign_delete(parts: Components) -> Components:
    """DELETE deletes whosoever's message."""

    class Lenient(PersonalChat):
        async def _delete(self, uid: str, message_id: int) -> None:
            self.store = Everybody(self.table)
            try:
                await super()._delete(uid, message_id)
            finally:
                self.store = PersonalStore(self.table)

    return replace(parts, personal_chat=Lenient)


def _telling(told: Callable[[Message], Refused]) -> type[PersonalChat]:
    class Telling(PersonalChat):
        async def owned(self, uid: str, message_id: int) -> Message:
            try:
                return await super().owned(uid, message_id)
            except Refused:
                store = Everybody(self.table)
                found = await asyncio.to_thread(store.find, uid, message_id)
                if found is None:
                    raise
                raise told(found) from None

    return Telling


@mutant("foreign-forbidden", "private/isolation", "private")
def foreign_forbidden(parts: Components) -> Components:
    """A change of another uid's message is answered with 403: so there is one."""

    def told(_: Message) -> Refused:
        return Refused(403, "forbidden", "this message is not yours")

    return replace(parts, personal_chat=_telling(told))


@mutant("foreign-code", "private/isolation", "private")
def foreign_code(parts: Components) -> Components:
    """The 404 of another uid's message has a code of its own: so there is one."""

    def told(_: Message) -> Refused:
        return Refused(404, "not_yours", "no message has such an id")

    return replace(parts, personal_chat=_telling(told))


@mutant("error-quotes-foreign", "private/isolation", "private")
def error_quotes_foreign(parts: Components) -> Components:
    """The 404 of another uid's message quotes its text."""

    def told(found: Message) -> Refused:
        return Refused(404, "not_interactive", f"not yours: {found.value.text}")

    return replace(parts, personal_chat=_telling(told))


@mutant("foreign-ping-accepted", "private/isolation", "log")
def foreign_ping_accepted(parts: Components) -> Components:
    """A ping for another uid's connection is answered with 204 and keeps it."""

    class Lenient(Connections):
        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            connection = self.open.get(connection_id)
            given = connection.owner if connection is not None else owner
            return super().ping(connection_id, given)

    return replace(parts, connections=Lenient)


@mutant("history-without-uid", "private/uid-required", "private")
def history_without_uid(parts: Components) -> Components:
    """The history without a uid is empty instead of refused."""

    class Lenient(PrivateApi):
        async def history(self, request: Request) -> ASGIApp:
            if "uid=" not in request.headers.get("cookie", ""):
                return answer({"messages": [], "more": False})
            return await super().history(request)

    return replace(parts, private_api=Lenient)


@mutant("events-without-uid", "private/uid-required", "log")
def events_without_uid(parts: Components) -> Components:
    """A stream without a uid is opened: nothing will ever come on it."""

    class Lenient(LogApi):
        async def events(self, request: Request) -> ASGIApp:
            try:
                return await super().events(request)
            except Refused as refused:
                if refused.status != 401:
                    raise
                return await self.service.open_stream(NOBODY, None)

    return replace(parts, log_api=Lenient)


@mutant("ping-without-uid", "private/uid-required", "private")
def ping_without_uid(parts: Components) -> Components:
    """A ping without a uid is looked up like any other: 404 for nobody's connection."""

    class Lenient(PrivateApi):
        async def ping(self, request: Request) -> ASGIApp:
            try:
                return await super().ping(request)
            except Refused as refused:
                if refused.status != 401:
                    raise
                return self.streams.ping(request, NOBODY)

    return replace(parts, private_api=Lenient)


@mutant("odd-uids-accepted", "private/uid-required", "log")
def odd_uids_accepted(parts: Components) -> Components:
    """A uid of other characters or of any length is accepted, an empty one is not."""

    class Lenient(PersonalCalls):
        def uid(self, request: Request) -> str:
            try:
                return super().uid(request)
            except Refused:
                found = request.cookies.get("uid")
                if not found:
                    raise
                return found

    return replace(parts, personal_calls=Lenient)


@mutant("uid-from-query", "private/uid-required", "log")
def uid_from_query(parts: Components) -> Components:
    """Where there is no cookie, a uid in the query will do."""

    class Lenient(PersonalCalls):
        def uid(self, request: Request) -> str:
            try:
                return super().uid(request)
            except Refused:
                return parse_uid(f"uid={request.query_params.get('uid', '')}")

    return replace(parts, personal_calls=Lenient)


@mutant("bad-body-before-uid", "private/uid-required", "private")
def bad_body_before_uid(parts: Components) -> Components:
    """A message without a uid is told first what is wrong with its body."""

    class Curious(PersonalCalls):
        async def create(self, request: Request) -> ASGIApp:
            try:
                self.uid(request)
            except Refused:
                parse_draft(await read_body(request, self.max_body_bytes))
                raise
            return await super().create(request)

    return replace(parts, personal_calls=Curious)


@mutant("uid-case-ignored", "private/isolation", "private")
def uid_case_ignored(parts: Components) -> Components:
    """Uids that differ by case only are one user, as by a column's collation."""

    class Folding(PersonalCalls):
        def uid(self, request: Request) -> str:
            return super().uid(request).lower()

    return replace(parts, personal_calls=Folding)


@mutant("uid-like", "private/isolation", "log")
def uid_like(parts: Components) -> Components:
    """The table is asked with LIKE: `_` in a uid stands for any character."""

    class Like(PersonalStore):
        def of(self, uid: str) -> Select[tuple[object, ...]]:
            like = self.messages.columns.uid.like(uid)
            return select(self.messages.table).where(like)

    return replace(parts, personal_store=Like)


@mutant("uid-prefix-published", "private/isolation", "log")
def uid_prefix_published(parts: Components) -> Components:
    """Events of a uid reach those, too, whose uid it begins with."""

    class Prefix(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            for other, channel in list(self.by_uid.items()):
                if uid.startswith(other):
                    channel.publish(entry)

    return replace(parts, channels=Prefix)
