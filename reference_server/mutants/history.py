"""Mutants of history/*, and the database id that leaks into history."""

from dataclasses import dataclass, replace

from sqlalchemy import select
from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.core import validation
from reference_server.core.message import Json, Value
from reference_server.mutants.registry import mutant
from reference_server.personal_store import Page, PersonalStore
from reference_server.shared_chat import SharedCalls
from reference_server.shared_store import SharedStore
from reference_server.web import answer


@mutant("history-leaks-rows", "init/no-database-ids")
def history_leaks_rows(parts: Components) -> Components:
    """The values of history pages hold the database id."""

    class Leaking(SharedStore):
        def page(self, before_ms: int, size: int) -> list[Value]:
            columns = self.messages.columns
            pairs = select(columns.created_at, columns.id)
            with self.messages.database.transaction() as connection:
                rows = {row[0]: row[1] for row in connection.execute(pairs)}
            page = super().page(before_ms, size)
            return [_Leaky.of(value, rows[value.created_at]) for value in page]

    return replace(parts, shared_store=Leaking)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaky(Value):
    row: int

    @classmethod
    def of(cls, value: Value, row: int) -> "_Leaky":
        return cls(
            author=value.author,
            text=value.text,
            created_at=value.created_at,
            updated_at=value.updated_at,
            nonce=value.nonce,
            row=row,
        )

    def wire(self) -> Json:
        return Value.wire(self) | {"id": self.row}


@mutant("history-coarse-times", "history/pages")
def history_coarse_times(parts: Components) -> Components:
    """Paging compares whole seconds, so that messages of the same second as a page's
    edge are lost."""

    class Coarse(SharedStore):
        def page(self, before_ms: int, size: int) -> list[Value]:
            return super().page(before_ms // 1000 * 1000, size)

    return replace(parts, shared_store=Coarse)


@mutant("history-newest-first", "history/pages")
def history_newest_first(parts: Components) -> Components:
    """A history page lists the newest message first."""

    class Reversed(SharedStore):
        def page(self, before_ms: int, size: int) -> list[Value]:
            return super().page(before_ms, size)[::-1]

    return replace(parts, shared_store=Reversed)


@mutant("history-skips-edge", "history/pages")
def history_skips_edge(parts: Components) -> Components:
    """A history page lacks its newest message."""

    class Skipping(SharedStore):
        def page(self, before_ms: int, size: int) -> list[Value]:
            return super().page(before_ms, size)[:-1]

    return replace(parts, shared_store=Skipping)


@mutant("history-end-crashes", "history/pages")
def history_end_crashes(parts: Components) -> Components:
    """Before the first message there is no page, but a 500."""

    class Crashing(SharedStore):
        def page(self, before_ms: int, size: int) -> list[Value]:
            page = super().page(before_ms, size)
            return [page[0], *page[1:]]

    return replace(parts, shared_store=Crashing)


@mutant("personal-history-end-crashes", "history/pages", "private")
def personal_history_end_crashes(parts: Components) -> Components:
    """The same in a personal chat."""

    class Crashing(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            page = super().page(uid, before, size)
            if before is None:
                return page
            return replace(page, messages=[page.messages[0], *page.messages[1:]])

    return replace(parts, personal_store=Crashing)


@mutant("history-with-ids", "history/not-interactive")
def history_with_ids(parts: Components) -> Components:
    """The messages of a history page carry ids."""

    class Numbered(SharedCalls):
        async def history(self, request: Request) -> ASGIApp:
            query = request.query_params.get("loadFrom")
            page = await self.chat.page(validation.parse_load_from(query))
            numbered = enumerate(page, start=1)
            messages = [{"id": each, "value": value.wire()} for each, value in numbered]
            return answer({"messages": messages})

    return replace(parts, shared_calls=Numbered)


@mutant("page-of-199", "history/page-size", "private")
def page_of_199(parts: Components) -> Components:
    """A full page lacks its oldest message."""

    class Short(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            return super().page(uid, before, size - 1)

    return replace(parts, personal_store=Short)


@mutant("more-at-exactly-200", "history/page-size", "log")
def more_at_exactly_200(parts: Components) -> Components:
    """A page that is full says `more`, even if it is the last."""

    class Guessing(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            page = super().page(uid, before, size)
            return replace(page, more=len(page.messages) == size)

    return replace(parts, personal_store=Guessing)


@mutant("more-only-on-first-page", "history/page-size", "private")
def more_only_on_first_page(parts: Components) -> Components:
    """The pages before a message never say `more`."""

    class Hasty(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            page = super().page(uid, before, size)
            return page if before is None else replace(page, more=False)

    return replace(parts, personal_store=Hasty)


@mutant("before-inclusive", "history/pages", "private")
def before_inclusive(parts: Components) -> Components:
    """The page before a message ends with that message."""

    class Inclusive(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            return super().page(uid, None if before is None else before + 1, size)

    return replace(parts, personal_store=Inclusive)


@mutant("before-by-count", "history/pages", "log")
def before_by_count(parts: Components) -> Components:
    """Pages are counted in ids, as if no other uid had any in between."""

    class Counting(PersonalStore):
        def page(self, uid: str, before: int | None, size: int) -> Page:
            page = super().page(uid, before, size)
            if before is None:
                return page
            kept = [each for each in page.messages if each.id >= before - size]
            return replace(page, messages=kept)

    return replace(parts, personal_store=Counting)


@mutant("history-with-ids-of-changed", "history/not-interactive")
def history_with_ids_of_changed(parts: Components) -> Components:
    """The messages of a history page that were changed carry ids."""

    class Numbered(SharedCalls):
        async def history(self, request: Request) -> ASGIApp:
            query = request.query_params.get("loadFrom")
            page = await self.chat.page(validation.parse_load_from(query))
            messages: list[Json] = [{"value": value.wire()} for value in page]
            for number, message in enumerate(messages, start=1):
                if "updatedAt" in message["value"]:
                    message["id"] = number
            return answer({"messages": messages})

    return replace(parts, shared_calls=Numbered)
