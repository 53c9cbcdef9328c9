"""Mutants of the record of `private`: made, pruned, made anew."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.cursor import Cursor
from reference_server.core.event_log import Entry, Event, EventLog, Kind
from reference_server.core.message import Json
from reference_server.core.record import Record
from reference_server.core.resume import Decision, Fresh, Reason, Reset
from reference_server.mutants.event import LateLog
from reference_server.mutants.registry import mutant
from reference_server.profiles.private import Private
from reference_server.stream import EventStream

CURSOR_DELAY_S = 0.05
MOST_EVENTS = 100


@mutant("record-at-stream", "private/record-at-first-event", "private")
def record_at_stream(parts: Components) -> Components:
    """Opening a stream creates the record."""

    class Hasty(Private):
        def open_stream(self, uid: str, cursor: str | None) -> EventStream:
            if uid not in self.records:
                self.records[uid] = self.new_record()
            return super().open_stream(uid, cursor)

    return replace(parts, private=Hasty)


def _sweeping(parts: Components, change: Callable[[Private, int], int]) -> Components:
    """Sweeps with another limit."""

    class Sweeping(Private):
        def sweep(self, before_ms: int) -> None:
            super().sweep(change(self, before_ms))

    return replace(parts, private=Sweeping)


@mutant("never-pruned", "private/prune", "private")
def never_pruned(parts: Components) -> Components:
    """Events stay in the record for ever."""
    return _sweeping(parts, lambda _, __: 0)


@mutant("pruned-late", "private/prune", "private")
def pruned_late(parts: Components) -> Components:
    """Events stay for three times the retention."""
    return _sweeping(parts, lambda it, before: before - 2 * it.settings.retention_ms)


@mutant("pruned-one-a-sweep", "private/prune", "private")
def pruned_one_a_sweep(parts: Components) -> Components:
    """A sweep takes old events of one record only, the next those of another."""

    class Thrifty(Private):
        def sweep(self, before_ms: int) -> None:
            for uid, record in list(self.records.items()):
                if record.times_ms[0] < before_ms:
                    record.prune(before_ms)
                    if record.is_empty:
                        del self.records[uid]
                    return

    return replace(parts, private=Thrifty)


@mutant("pruned-while-open", "private/prune", "private")
def pruned_while_open(parts: Components) -> Components:
    """Only records of users with an open stream are swept."""

    class Thrifty(Private):
        def sweep(self, before_ms: int) -> None:
            everybody = self.records
            self.records = {uid: everybody.pop(uid) for uid in self._present()}
            super().sweep(before_ms)
            self.records |= everybody

        def _present(self) -> list[str]:
            return [uid for uid in self.records if self.channels.by_uid.get(uid)]

    return replace(parts, private=Thrifty)


@mutant("record-of-a-hundred", "resume/no-needless-reset", "private")
def record_of_a_hundred(parts: Components) -> Components:
    """A record holds a hundred events at most, however young they are."""

    class Short(Record):
        def append(self, event: Event, at_ms: int) -> Entry:
            if len(self.times_ms) >= MOST_EVENTS:
                self.prune(self.times_ms[0] + 1)
            return super().append(event, at_ms)

    return replace(parts, record=Short)


@mutant("pruned-early", "resume/no-needless-reset", "private")
def pruned_early(parts: Components) -> Components:
    """Events go after a third of the retention."""
    return _sweeping(
        parts, lambda it, before: before + it.settings.retention_ms * 2 // 3
    )


@mutant("newest-never-pruned", "private/prune", "private")
def newest_never_pruned(parts: Components) -> Components:
    """The newest event of a record is never pruned, nor is its record."""

    class Keeping(Record):
        def prune(self, before_ms: int) -> None:
            super().prune(min(before_ms, self.times_ms[-1]))

    return replace(parts, record=Keeping)


@mutant("pruned-as-a-whole", "resume/no-needless-reset", "private")
def pruned_as_a_whole(parts: Components) -> Components:
    """A record with an old event goes as a whole, young events and all."""

    class Rough(Record):
        def prune(self, before_ms: int) -> None:
            if self.times_ms[0] < before_ms:
                super().prune(self.times_ms[-1] + 1)

    return replace(parts, record=Rough)


@mutant("record-name-constant", "reset/record-recreated", "private")
def record_name_constant(parts: Components) -> Components:
    """A record made anew has the epoch of its predecessor, and numbers from 1."""
    return replace(parts, new_record_name=lambda: "record")


@mutant("private-epoch-constant", "reset/restart-reused-ids", "private")
def private_epoch_constant(parts: Components) -> Components:
    """Every record of every life has the same epoch."""
    return replace(parts, new_epoch=lambda: "chat", new_record_name=lambda: "record")


def _without_record(parts: Components, reason: Reason) -> Components:
    """Where there is no record a reset for `reason` becomes a fresh stream."""

    class Lenient(Private):
        def decision(self, record: Record | None, cursor: str | None) -> Decision:
            decision = super().decision(record, cursor)
            is_lost = record is None and decision == Reset(reason)
            return Fresh() if is_lost else decision

    return replace(parts, private=Lenient)


@mutant("pruned-record-goes-live", "reset/evicted", "private")
def pruned_record_goes_live(parts: Components) -> Components:
    """A cursor whose record was pruned away goes live while there is no other."""
    return _without_record(parts, Reason.EVICTED)


@mutant("earlier-record-goes-live", "reset/restart", "private")
def earlier_record_goes_live(parts: Components) -> Components:
    """A cursor of an earlier life goes live while its uid has no record."""
    return _without_record(parts, Reason.RESTARTED)


@mutant("malformed-without-record-goes-live", "reset/unknown-cursor", "private")
def malformed_without_record_goes_live(parts: Components) -> Components:
    """A malformed cursor goes live while its uid has no record."""
    return _without_record(parts, Reason.UNKNOWN)


@mutant("foreign-cursor-accepted", "reset/unknown-cursor", "private")
def foreign_cursor_accepted(parts: Components) -> Components:
    """A cursor of another uid's record is taken for one of the own."""

    class Lenient(Private):
        def decision(self, record: Record | None, cursor: str | None) -> Decision:
            parsed = Cursor.parse(cursor or "")
            epochs = {each.log.epoch for each in self.records.values()}
            if record is not None and parsed is not None and parsed.epoch in epochs:
                cursor = record.log.cursor_of(parsed.seq)
            return super().decision(record, cursor)

    return replace(parts, private=Lenient)


@mutant("fresh-reset-without-record", "reset/fresh-never", "private")
def fresh_reset_without_record(parts: Components) -> Components:
    """A stream without a cursor is reset while its uid has no record but messages."""

    class Nervous(Private):
        seen: frozenset[str] = frozenset()

        def sweep(self, before_ms: int) -> None:
            self.seen |= frozenset(self.records)
            super().sweep(before_ms)

        def open_stream(self, uid: str, cursor: str | None) -> EventStream:
            if cursor or uid in self.records or uid not in self.seen:
                return super().open_stream(uid, cursor)
            reset = Reset(Reason.EVICTED)
            join = partial(self.channels.join, uid)
            return self.streams.open(reset, join, log=None, owner=uid)

    return replace(parts, private=Nervous)


@mutant("private-logged-late", "event/logged-before-sent", "private")
def private_logged_late(parts: Components) -> Components:
    """An event enters the record 200 ms after it was sent."""

    class Lazy(Private):
        def new_record(self) -> Record:
            render = self.streams.frames.event
            return Record(LateLog(epoch=self.new_epoch(), limit=None, render=render))

    return replace(parts, private=Lazy)


@mutant("first-event-without-id", "event/has-id", "private")
def first_event_without_id(parts: Components) -> Components:
    """The event that makes a record carries no id."""

    class Bare(EventLog):
        def append(self, event: Event) -> Entry:
            if self.head or self.entries.maxlen is not None:
                return super().append(event)
            entry = super().append(event)
            id_line = b"id: " + self.cursor_of(1).encode() + b"\n"
            bare = replace(entry, frame=entry.frame.replace(id_line, b""))
            self.entries[-1] = bare
            return bare

    return replace(parts, event_log=Bare)


@mutant("first-event-not-sent", "stream/registered-before-ping", "private")
def first_event_not_sent(parts: Components) -> Components:
    """The event that makes a record is kept in it but not sent to open streams."""

    class Quiet(Private):
        def announce(self, uid: str, kind: Kind, data: Json) -> None:
            if uid in self.records:
                super().announce(uid, kind, data)
                return
            self.records[uid] = self.new_record()
            self.records[uid].append(Event(kind, data), self.now_ms())

    return replace(parts, private=Quiet)


@mutant("record-goes-with-resumed-tab", "resume/no-needless-reset", "private")
def record_goes_with_resumed_tab(parts: Components) -> Components:
    """When a stream ends that was resumed itself, the record of its uid goes."""

    class Tidy(Private):
        def open_stream(self, uid: str, cursor: str | None) -> EventStream:
            stream = super().open_stream(uid, cursor)
            if cursor and stream.opening.reset is None:
                stream.connection.on_end(partial(self.tidy, uid))
            return stream

        def tidy(self, uid: str, _: Connection) -> None:
            self.records.pop(uid, None)

    return replace(parts, private=Tidy)


@mutant("history-cursor-too-new", "init/gapless", "private")
def history_cursor_too_new(parts: Components) -> Components:
    """/history reads the page 50 ms before it reads the cursor."""

    class Torn(Private):
        async def snapshot(self, uid: str) -> Json:
            page = await self.chat.page(uid, None)
            await asyncio.sleep(CURSOR_DELAY_S)
            return page.wire() | self.position(uid)

    return replace(parts, private=Torn)
