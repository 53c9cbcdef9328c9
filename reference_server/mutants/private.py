"""Mutants of what `private` does with changes, and of its tabs."""

import asyncio
from collections import deque
from dataclasses import replace

from reference_server import clock
from reference_server.changes import updating
from reference_server.channel import Channels
from reference_server.components import Components
from reference_server.core.event_log import Entry, Event, Kind
from reference_server.core.message import Json, Message
from reference_server.core.validation import Refused
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalChat
from reference_server.profiles.private import Private
from reference_server.stream import EventStream

LATE_S = 0.1
COMMIT_DELAY_S = 0.3


@mutant("newest-tab-only", "private/all-tabs", "log")
def newest_tab_only(parts: Components) -> Components:
    """Events go to the newest stream of a uid only."""

    class Narrow(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            channel = self.by_uid.get(uid)
            if channel is not None:
                newest = next(reversed(channel.members.values()))
                channel.deliver(newest, entry)

    return replace(parts, channels=Narrow)


@mutant("third-tab-silent", "private/all-tabs", "private")
def third_tab_silent(parts: Components) -> Components:
    """Updates and deletes reach the two oldest streams of a uid only."""

    class Narrow(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            channel = self.by_uid.get(uid)
            if channel is None or entry.event.kind is Kind.CREATE:
                super().publish(uid, entry)
                return
            for connection in list(channel.members.values())[:2]:
                channel.deliver(connection, entry)

    return replace(parts, channels=Narrow)


@mutant("private-deletes-late", "event/order", "private")
def private_deletes_late(parts: Components) -> Components:
    """Deletes are sent 100 ms late, after what was committed meanwhile."""

    class Late(Channels):
        def publish(self, uid: str, entry: Entry) -> None:
            if entry.event.kind is not Kind.DELETE:
                super().publish(uid, entry)
                return
            send = super().publish
            asyncio.get_running_loop().call_later(LATE_S, send, uid, entry)

    return replace(parts, channels=Late)


@mutant("private-phantom-update", "event/no-phantom", "private")
def private_phantom_update(parts: Components) -> Components:
    """A PATCH that is refused with 404 sends an update event all the same."""

    class Phantom(PersonalChat):
        async def _update(self, uid: str, message_id: int, text: str) -> Message:
            try:
                return await super()._update(uid, message_id, text)
            except Refused:
                value = {"author": "?", "text": text, "createdAt": clock.now_ms()}
                self.announce(uid, Kind.UPDATE, {"id": message_id, "value": value})
                raise

    return replace(parts, personal_chat=Phantom)


@mutant("pruned-delete-silent", "converge", "private")
def pruned_delete_silent(parts: Components) -> Components:
    """A delete makes no event when the message's creation has left the record."""

    class Silent(Private):
        def announce(self, uid: str, kind: Kind, data: Json) -> None:
            if kind is not Kind.DELETE or self.is_kept(uid, data["id"]):
                super().announce(uid, kind, data)

        def is_kept(self, uid: str, message_id: int) -> bool:
            record = self.records.get(uid)
            kept = (entry.event for entry in record.log.entries) if record else ()
            return any(
                event.kind is Kind.CREATE and event.data["id"] == message_id
                for event in kept
            )

    return replace(parts, private=Silent)


@mutant("private-shows-later-text", "event/payload", "private")
def private_shows_later_text(parts: Components) -> Components:
    """A replayed create shows the text that a later update gave the message."""

    class Referring(Private):
        def announce(self, uid: str, kind: Kind, data: Json) -> None:
            record = self.records.get(uid)
            for index, entry in enumerate(record.log.entries if record else ()):
                same = entry.event.data["id"] == data["id"]
                if record and kind is Kind.UPDATE and same:
                    event = Event(entry.event.kind, data)
                    frame = record.log.render(record.log.cursor_of(entry.seq), event)
                    record.log.entries[index] = Entry(entry.seq, event, frame)
            super().announce(uid, kind, data)

    return replace(parts, private=Referring)


@mutant("private-update-before-commit", "write/before-broadcast", "private")
def private_update_before_commit(parts: Components) -> Components:
    """An update is sent before the database has taken it."""

    class Hasty(PersonalChat):
        async def _update(self, uid: str, message_id: int, text: str) -> Message:
            old = await self.owned(uid, message_id)
            message = Message(message_id, old.value.edited(text, clock.now_ms()))
            self.announce(uid, Kind.UPDATE, message.wire())
            change = updating(self.table, message_id, message.value, lambda: message)
            return await self.writes.make(change)

    return replace(parts, personal_chat=Hasty)


@mutant("private-late-edit", "write/durable", "private")
def private_late_edit(parts: Components) -> Components:
    """A new text is acknowledged 300 ms before it is committed, or until the next
    change."""

    class Late(PersonalChat):
        pending: Message | None = None

        async def _update(self, uid: str, message_id: int, text: str) -> Message:
            await self.finish()
            old = await self.owned(uid, message_id)
            message = Message(message_id, old.value.edited(text, clock.now_ms()))
            self.pending = message
            loop = asyncio.get_running_loop()
            loop.call_later(COMMIT_DELAY_S, lambda: loop.create_task(self.finish()))
            return self.updated(uid, message)

        async def _delete(self, uid: str, message_id: int) -> None:
            await self.finish()
            await super()._delete(uid, message_id)

        async def finish(self) -> None:
            message, self.pending = self.pending, None
            if message is not None:
                await asyncio.to_thread(self.table.update, message.id, message.value)

    return replace(parts, personal_chat=Late)


@mutant("sweep-stops-at-first-kept", "private/prune", "private")
def sweep_stops_at_first_kept(parts: Components) -> Components:
    """The sweep ends at the first record that still holds something."""

    class Stopping(Private):
        def sweep(self, before_ms: int) -> None:
            for uid, record in list(self.records.items()):
                record.prune(before_ms)
                if not record.is_empty:
                    break
                del self.records[uid]

    return replace(parts, private=Stopping)


@mutant("resume-renews-record", "private/prune", "private")
def resume_renews_record(parts: Components) -> Components:
    """Whoever comes back with a cursor makes all events of the record young again."""

    class Renewing(Private):
        def open_stream(self, uid: str, cursor: str | None) -> EventStream:
            record = self.records.get(uid)
            if record is not None and cursor:
                record.times_ms = deque([self.now_ms()] * len(record.times_ms))
            return super().open_stream(uid, cursor)

    return replace(parts, private=Renewing)


@mutant("event-as-old-as-its-message", "resume/no-needless-reset", "private")
def event_as_old_as_its_message(parts: Components) -> Components:
    """The sweep goes by the age of messages: changes of old ones are pruned at once."""

    made_ms: dict[tuple[str, int], int] = {}

    class ByMessage(Private):
        def announce(self, uid: str, kind: Kind, data: Json) -> None:
            at_ms = made_ms.setdefault((uid, data["id"]), self.now_ms())
            super().announce(uid, kind, data)
            self.records[uid].times_ms[-1] = at_ms

    return replace(parts, private=ByMessage)
