"""Mutants of resume/*."""

import asyncio
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.event_log import Entry, EventLog, Kind
from reference_server.core.resume import Decision, Reason, Reset, Resume
from reference_server.mutants.deciding import changing, counting
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import BroadcastApi
from reference_server.stream import Emit, EventStream
from reference_server.streams import StreamCalls

REPLAY_PAUSE_S = 0.005
TRUNCATED = 10


@mutant("reset-at-head", "resume/at-head")
def reset_at_head(parts: Components) -> Components:
    """A client whose cursor is the head is reset."""

    def change(decision: Decision, head: int, _: int) -> Decision:
        return Reset(Reason.EVICTED) if decision == Resume(head) else decision

    return replace(parts, decide=changing(parts.decide, change))


@mutant("last-replayed-at-head", "resume/at-head")
def last_replayed_at_head(parts: Components) -> Components:
    """A client whose cursor is the head is sent that event again."""

    def change(decision: Decision, head: int, oldest: int) -> Decision:
        at_head = decision == Resume(head) and head >= oldest
        return Resume(head - 1) if at_head else decision

    return replace(parts, decide=changing(parts.decide, change))


@mutant("replay-skips-first", "resume/within-log")
def replay_skips_first(parts: Components) -> Components:
    """A replay lacks its first event."""

    class Skipping(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            return super().after(seq)[1:]

    return replace(parts, event_log=Skipping)


@mutant("replay-truncated", "resume/within-log")
def replay_truncated(parts: Components) -> Components:
    """A replay stops after ten events and the stream goes live."""

    class Truncating(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            return super().after(seq)[:TRUNCATED]

    return replace(parts, event_log=Truncating)


@mutant("cursor-as-text", "resume/within-log")
def cursor_as_text(parts: Components) -> Components:
    """A replay compares numbers as text, so that 10 does not come after 9."""

    class Textual(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            entries = super().after(seq)
            return tuple(entry for entry in entries if str(entry.seq) > str(seq))

    return replace(parts, event_log=Textual)


@mutant("reset-when-own-event-gone", "resume/oldest-minus-one")
def reset_when_own_event_gone(parts: Components) -> Components:
    """A cursor whose own event is evicted is reset though the next one is kept."""

    def change(decision: Decision, _: int, oldest: int) -> Decision:
        gone = decision == Resume(oldest - 1) and oldest > 1
        return Reset(Reason.EVICTED) if gone else decision

    return replace(parts, decide=changing(parts.decide, change))


class Slow(EventStream):
    """Lets other tasks run between two replayed frames."""

    async def replay(self, emit: Emit) -> None:
        async def emit_slowly(frame: bytes) -> None:
            await emit(frame)
            await asyncio.sleep(REPLAY_PAUSE_S)

        await super().replay(emit_slowly)


@mutant("lost-during-replay", "resume/replay-live-join")
def lost_during_replay(parts: Components) -> Components:
    """Events that are committed while a replay runs are lost to that stream."""

    class Muting(Connection):
        muted = False

        def offer(self, entry: Entry) -> None:
            if not self.muted:
                super().offer(entry)

    class Losing(Slow):
        async def replay(self, emit: Emit) -> None:
            assert isinstance(self.connection, Muting)
            self.connection.muted = True
            await super().replay(emit)
            self.connection.muted = False

    return replace(parts, connection=Muting, stream=Losing)


@mutant("twice-during-replay", "resume/replay-live-join")
def twice_during_replay(parts: Components) -> Components:
    """Events that are committed while a replay runs come twice on that stream."""

    class Doubling(Slow):
        async def replay(self, emit: Emit) -> None:
            await super().replay(emit)
            for entry in tuple(self.connection.queue):
                await emit(entry.frame)

    return replace(parts, stream=Doubling)


@mutant("query-wins", "resume/header-wins")
def query_wins(parts: Components) -> Components:
    """The query `lastEventId` beats the header."""

    class Query(StreamCalls):
        def cursor(self, request: Request) -> str | None:
            return request.query_params.get("lastEventId") or super().cursor(request)

    return replace(parts, stream_calls=Query)


@mutant("reset-while-older-open", "resume/no-needless-reset")
def reset_while_older_open(parts: Components) -> Components:
    """A reconnect is reset while an older stream from that address, itself opened with
    a cursor, is still open."""

    class Jealous(BroadcastApi):
        older: Connection | None = None
        host: str | None = None

        async def events(self, request: Request) -> ASGIApp:
            decision = self.service.decision(self.streams.cursor(request))
            host = request.client.host if request.client else None
            held = self.older is not None and not self.older.ended
            if isinstance(decision, Resume) and held and host == self.host:
                return self.service.stream_for(Reset(Reason.EVICTED))
            stream = self.service.open_stream(self.streams.cursor(request))
            if isinstance(decision, Resume):
                self.older, self.host = stream.connection, host
            return stream

    return replace(parts, broadcast_api=Jealous)


@mutant("third-resume-reset", "resume/no-needless-reset")
def third_resume_reset(parts: Components) -> Components:
    """Every third resume is reset."""

    def change(count: int) -> Decision | None:
        return Reset(Reason.EVICTED) if count % 3 == 0 else None

    return replace(parts, decide=counting(parts.decide, Resume, change))


@mutant("updates-go-with-a-delete", "resume/within-log")
def updates_go_with_a_delete(parts: Components) -> Components:
    """A replay leaves out the updates of a message that it deletes further on."""

    class Compact(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            found = super().after(seq)
            kinds = [(one, one.event.kind, one.event.data["id"]) for one in found]
            gone = {about for _, kind, about in kinds if kind is Kind.DELETE}
            return tuple(
                one
                for one, kind, about in kinds
                if kind is not Kind.UPDATE or about not in gone
            )

    return replace(parts, event_log=Compact)


@mutant("oldest-own-event-skips-next", "resume/within-log")
def oldest_own_event_skips_next(parts: Components) -> Components:
    """Where the cursor's own event is the oldest kept, the next one is skipped."""

    class Skipping(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            full = len(self.entries) == self.entries.maxlen
            return super().after(seq)[full and seq == self.oldest :]

    return replace(parts, event_log=Skipping)
