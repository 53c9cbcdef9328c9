"""Mutants of changes to messages that have changed, of an earlier life, or at once."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from reference_server.changes import deleting
from reference_server.components import Components
from reference_server.core.event_log import Kind
from reference_server.core.message import Message, Value
from reference_server.core.validation import Refused
from reference_server.core.window import Item, Window
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalChat
from reference_server.shared_chat import SharedChat
from reference_server.table import MessageTable


@mutant("second-edit-not-stored", "write/durable", "private")
def second_edit_not_stored(parts: Components) -> Components:
    """UPDATE ... WHERE updated_at IS NULL: only the first edit is stored."""

    class First(MessageTable):
        def update(self, row: int, value: Value) -> None:
            columns = self.columns
            statement = self.table.update().where(
                columns.id == row, columns.updated_at.is_(None)
            )
            new = {"text": value.text, "updated_at": value.updated_at}
            with self.database.transaction() as connection:
                connection.execute(statement, new)

    return replace(parts, table=First)


@mutant("edited-not-deleted", "write/durable", "naive")
def edited_not_deleted(parts: Components) -> Components:
    """DELETE ... WHERE updated_at IS NULL: edited messages come back at a restart."""

    class First(MessageTable):
        def delete(self, row: int) -> None:
            columns = self.columns
            statement = self.table.delete().where(
                columns.id == row, columns.updated_at.is_(None)
            )
            with self.database.transaction() as connection:
                connection.execute(statement)

    return replace(parts, table=First)


@mutant("old-life-delete-unsent", "event/no-loss")
def old_life_delete_unsent(parts: Components) -> Components:
    """The delete of a message of an earlier life makes no event."""

    class Silent(SharedChat):
        loaded = 0

        async def load(self) -> None:
            await super().load()
            self.loaded = self.window.last_id

        def deleted(self, message_id: int) -> None:
            if message_id > self.loaded:
                super().deleted(message_id)
            else:
                self.window.remove(message_id)

    return replace(parts, shared_chat=Silent)


@mutant("delete-by-window-id", "write/durable")
def delete_by_window_id(parts: Components) -> Components:
    """The row that is deleted is the one numbered like the window's id."""

    class Wrong(SharedChat):
        async def _delete(self, message_id: int) -> None:
            self.interactive(message_id)
            apply = partial(self.deleted, message_id)
            await self.writes.make(deleting(self.table, message_id, apply))

    return replace(parts, shared_chat=Wrong)


@mutant("delete-checked-too-early", "event/no-phantom")
def delete_checked_too_early(parts: Components) -> Components:
    """Two deletes of one message at once are both taken, with an event each."""

    class Early(SharedChat):
        async def delete(self, message_id: int) -> None:
            old = self.interactive(message_id)

            def apply() -> None:
                if message_id in self.window.by_id:
                    self.window.remove(message_id)
                self.announce(Kind.DELETE, {"id": message_id})

            async def step() -> None:
                await self.writes.make(deleting(self.table, old.row, apply))

            await self.writes.run(step)

    return replace(parts, shared_chat=Early)


@mutant("deleted-still-changed", "event/no-phantom", "private")
def deleted_still_changed(parts: Components) -> Components:
    """A deleted message is only marked so: it can be changed, with an event."""

    graves: dict[tuple[str, int], Message] = {}

    class Soft(PersonalChat):
        async def owned(self, uid: str, message_id: int) -> Message:
            try:
                graves[uid, message_id] = await super().owned(uid, message_id)
            except Refused:
                if (uid, message_id) not in graves:
                    raise
            return graves[uid, message_id]

    return replace(parts, personal_chat=Soft)


def window(name: str, requirement: str) -> Callable[[type[Window]], type[Window]]:
    """A mutant that is another window; its docstring tells of it."""

    def register(kind: type[Window]) -> type[Window]:
        def build(parts: Components) -> Components:
            return replace(parts, window=kind)

        build.__doc__ = kind.__doc__
        mutant(name, requirement)(build)
        return kind

    return register


@window("oldest-forgotten-at-restart", "init/oldest")
class Forgetful(Window):
    """After a start the window counts what it loaded, not what is stored."""

    def fill(self, messages: Iterable[Message], *, stored: int) -> None:
        super().fill(messages, stored=stored)
        self.stored = len(self.by_id)


@window("oldest-remembered", "init/oldest")
class Remembering(Window):
    """`oldest` is noted at each create; a delete of the first one leaves it."""

    first_ms: int | None = None

    def add(self, row: int, value: Value) -> Item:
        item = super().add(row, value)
        self.first_ms = next(iter(self.by_id.values())).value.created_at
        return item

    def oldest(self) -> int | None:
        return self.first_ms if self.stored >= self.limit else None


@window("ids-anew-when-empty", "init/window")
class Anew(Window):
    """When deletes have emptied the window its ids begin at 1 again."""

    def remove(self, message_id: int) -> None:
        super().remove(message_id)
        if not self.by_id:
            self.last_id = 0
