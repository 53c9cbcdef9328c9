"""Mutants of init/*."""

import asyncio
from dataclasses import replace

from reference_server.components import Components
from reference_server.core.message import Json, Value
from reference_server.core.window import Item, Window
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import Broadcast
from reference_server.shared_store import Loaded, SharedStore

CURSOR_DELAY_S = 0.05


@mutant("init-empty-crashes", "init/window")
def init_empty_crashes(parts: Components) -> Components:
    """The snapshot of an empty chat is a 500: nobody looks whether there is a first."""

    class Crashing(Broadcast):
        async def snapshot(self) -> Json:
            snapshot = await super().snapshot()
            first, *others = snapshot["messages"]
            return snapshot | {"messages": [first, *others]}

    return replace(parts, broadcast=Crashing)


@mutant("init-newest-first", "init/window")
def init_newest_first(parts: Components) -> Components:
    """/init lists the newest message first."""

    class Reversed(Window):
        def items(self) -> list[Item]:
            return super().items()[::-1]

    return replace(parts, window=Reversed)


@mutant("init-one-too-many", "init/window")
def init_one_too_many(parts: Components) -> Components:
    """/init still shows the message that was evicted last."""

    class Generous(Window):
        evicted: Item | None = None

        def evict(self) -> None:
            if len(self.by_id) > self.limit:
                self.evicted = next(iter(self.by_id.values()))
            super().evict()

        def items(self) -> list[Item]:
            kept = super().items()
            full = len(kept) == self.limit
            return [self.evicted, *kept] if self.evicted and full else kept

    return replace(parts, window=Generous)


@mutant("init-ignores-updates", "init/window")
def init_ignores_updates(parts: Components) -> Components:
    """/init shows a message as it was created, whatever was updated since."""

    class Stale(Window):
        def update(self, message_id: int, value: Value) -> Item:
            return replace(self.by_id[message_id], value=value)

    return replace(parts, window=Stale)


@mutant("init-wrong-limit", "init/window")
def init_wrong_limit(parts: Components) -> Components:
    """/init states a limit that is one too high."""

    class Boasting(Window):
        def snapshot(self) -> Json:
            return super().snapshot() | {"limit": self.limit + 1}

    return replace(parts, window=Boasting)


@mutant("oldest-always", "init/oldest")
def oldest_always(parts: Components) -> Components:
    """`oldest` is there even when the database holds fewer than `limit` messages."""

    class Always(Window):
        def oldest(self) -> int | None:
            first = next(iter(self.by_id.values()), None)
            return first.value.created_at if first else super().oldest()

    return replace(parts, window=Always)


@mutant("oldest-missing-at-limit", "init/oldest")
def oldest_missing_at_limit(parts: Components) -> Components:
    """`oldest` is absent when the database holds exactly `limit` messages."""

    class Missing(Window):
        def oldest(self) -> int | None:
            return None if self.stored == self.limit else super().oldest()

    return replace(parts, window=Missing)


@mutant("deleted-counted-at-start", "init/oldest")
def deleted_counted_at_start(parts: Components) -> Components:
    """A new life takes the highest database id for the number of messages."""

    class Counting(SharedStore):
        def load(self, limit: int) -> Loaded:
            loaded = super().load(limit)
            highest = max((one.id for one in loaded.messages), default=0)
            return replace(loaded, stored=highest)

    return replace(parts, shared_store=Counting)


@mutant("oldest-of-second", "init/oldest")
def oldest_of_second(parts: Components) -> Components:
    """`oldest` is the createdAt of the window's second message."""

    class Second(Window):
        def oldest(self) -> int | None:
            oldest = super().oldest()
            if oldest is None or len(self.by_id) == 1:
                return oldest
            return next((each.value.created_at for each in self.items()[1:]), oldest)

    return replace(parts, window=Second)


@mutant("window-ids-are-rows", "init/no-database-ids")
def window_ids_are_rows(parts: Components) -> Components:
    """The database ids serve as window ids."""

    class Rows(Window):
        def add(self, row: int, value: Value) -> Item:
            self.last_id = row - 1
            return super().add(row, value)

    return replace(parts, window=Rows)


@mutant("init-reads-database", "init/from-cache")
def init_reads_database(parts: Components) -> Components:
    """/init asks the database before it answers."""

    class Reading(Broadcast):
        async def snapshot(self) -> Json:
            await asyncio.to_thread(self.chat.store.load, self.chat.limit)
            return await super().snapshot()

    return replace(parts, broadcast=Reading)


@mutant("init-cursor-too-new", "init/gapless")
def init_cursor_too_new(parts: Components) -> Components:
    """/init reads the window 50 ms before it reads the cursor."""

    class Torn(Broadcast):
        async def snapshot(self) -> Json:
            messages = self.chat.snapshot()
            await asyncio.sleep(CURSOR_DELAY_S)
            return messages | {"cursor": self.log.cursor}

    return replace(parts, broadcast=Torn)


@mutant("init-not-renewed-by-update", "init/window")
def init_not_renewed_by_update(parts: Components) -> Components:
    """/init answers from a cache that creates and deletes renew, but no update."""

    class Cached(Window):
        kept: tuple[tuple[int, int], Json] | None = None

        def snapshot(self) -> Json:
            key = (self.last_id, len(self.by_id))
            if self.kept is None or self.kept[0] != key:
                self.kept = key, super().snapshot()
            return {**super().snapshot(), "messages": self.kept[1]["messages"]}

    return replace(parts, window=Cached)
