"""Mutants of reset/*."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.cursor import MAX_LENGTH
from reference_server.core.event_log import EventLog
from reference_server.core.resume import Decision, Fresh, Reason, Reset, Resume
from reference_server.mutants.deciding import Change, changing
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import Broadcast
from reference_server.stream import Emit, EventStream, Opening
from reference_server.streams import Join, Streams

FRESH_RESET_S = 2.0


@mutant("evicted-resumes", "reset/evicted")
def evicted_resumes(parts: Components) -> Components:
    """A cursor older than the log resumes from the oldest event kept."""
    return _verdict(parts, Reason.EVICTED, lambda _, __, oldest: Resume(oldest - 1))


@mutant("evicted-off-by-one", "reset/evicted")
def evicted_off_by_one(parts: Components) -> Components:
    """A cursor after which exactly one event is gone is accepted."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        clean = parts.decide(text, epoch=epoch, head=head, oldest=oldest)
        earlier = parts.decide(text, epoch=epoch, head=head, oldest=oldest - 1)
        evicted = clean == Reset(Reason.EVICTED)
        return Resume(oldest - 1) if evicted and earlier != clean else clean

    return replace(parts, decide=decide)


@mutant("evicted-off-by-one-later", "reset/evicted")
def evicted_off_by_one_later(parts: Components) -> Components:
    """The same, once the log has gone round twice."""
    off_by_one = evicted_off_by_one(parts).decide

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        kept = head - oldest + 1
        chosen = off_by_one if head > 3 * kept else parts.decide
        return chosen(text, epoch=epoch, head=head, oldest=oldest)

    return replace(parts, decide=decide)


@mutant("foreign-goes-live", "reset/restart")
def foreign_goes_live(parts: Components) -> Components:
    """A cursor of an earlier life goes live without a word."""
    return _verdict(parts, Reason.RESTARTED, lambda _, head, __: Resume(head))


@mutant("foreign-replays-log", "reset/restart")
def foreign_replays_log(parts: Components) -> Components:
    """A cursor of an earlier life is answered with the whole log."""
    return _verdict(parts, Reason.RESTARTED, lambda _, __, oldest: Resume(oldest - 1))


@mutant("constant-epoch", "reset/restart-reused-ids")
def constant_epoch(parts: Components) -> Components:
    """Every life has the same epoch, so that reused numbers look valid."""
    return replace(parts, new_epoch=lambda: "chat")


@mutant("malformed-goes-live", "reset/unknown-cursor")
def malformed_goes_live(parts: Components) -> Components:
    """A malformed cursor is taken for none."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        decision = parts.decide(text, epoch=epoch, head=head, oldest=oldest)
        future = bool(text) and str(text).startswith(f"{epoch}-")
        unknown = decision == Reset(Reason.UNKNOWN)
        return Fresh() if unknown and not future else decision

    return replace(parts, decide=decide)


@mutant("malformed-crashes", "reset/unknown-cursor")
def malformed_crashes(parts: Components) -> Components:
    """A cursor without a number is answered with 500."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        if text:
            int(text.rpartition("-")[2])
        return parts.decide(text, epoch=epoch, head=head, oldest=oldest)

    return replace(parts, decide=decide)


@mutant("future-goes-live", "reset/unknown-cursor")
def future_goes_live(parts: Components) -> Components:
    """A cursor beyond the head goes live without a word."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        decision = parts.decide(text, epoch=epoch, head=head, oldest=oldest)
        well_formed = parts.decide(text, epoch=epoch, head=10**18, oldest=0)
        future = decision == Reset(Reason.UNKNOWN) and isinstance(well_formed, Resume)
        return Resume(head) if future else decision

    return replace(parts, decide=decide)


@mutant("oversized-closes", "reset/unknown-cursor")
def oversized_closes(parts: Components) -> Components:
    """An oversized cursor is answered with an empty stream that ends."""

    class Empty(EventStream):
        async def run(self, emit: Emit) -> None:
            pass

    class Closing(Broadcast):
        def open_stream(self, cursor: str | None) -> EventStream:
            stream = super().open_stream(cursor)
            if cursor is None or len(cursor) <= MAX_LENGTH:
                return stream
            return Empty(stream.opening, frames=self.streams.frames, keepalive_s=1.0)

    return replace(parts, broadcast=Closing)


@mutant("event-before-reset", "reset/before-any-event")
def event_before_reset(parts: Components) -> Components:
    """The newest event of the log is sent before the reset."""

    class Early(Streams):
        def opening(
            self, connection: Connection, decision: Decision, log: EventLog | None
        ) -> Opening:
            opening = super().opening(connection, decision, log)
            if opening.reset is None or log is None or not log.entries:
                return opening
            return replace(opening, reset=log.entries[-1].frame + opening.reset)

    return replace(parts, streams=Early)


@mutant("event-after-reset", "reset/before-any-event")
def event_after_reset(parts: Components) -> Components:
    """The newest event of the log is sent after the reset."""

    class Late(Streams):
        def opening(
            self, connection: Connection, decision: Decision, log: EventLog | None
        ) -> Opening:
            opening = super().opening(connection, decision, log)
            if opening.reset is None or log is None or not log.entries:
                return opening
            return replace(opening, reset=opening.reset + log.entries[-1].frame)

    return replace(parts, streams=Late)


@mutant("reset-stays-live", "reset/before-any-event")
def reset_stays_live(parts: Components) -> Components:
    """After the reset the response is not ended and live events follow."""

    class Staying(EventStream):
        async def run(self, emit: Emit) -> None:
            await super().run(emit)
            if self.opening.reset is not None:
                await self.live(emit)

    class Registering(Streams):
        def open(
            self,
            decision: Decision,
            join: Join,
            *,
            log: EventLog | None,
            owner: str | None = None,
        ) -> EventStream:
            stream = super().open(decision, join, log=log, owner=owner)
            if isinstance(decision, Reset):
                self.register(stream.connection, join)
            return stream

    return replace(parts, stream=Staying, streams=Registering)


@mutant("reset-twice", "reset/once")
def reset_twice(parts: Components) -> Components:
    """The next connection with a cursor after a reset is reset too."""
    owed = False

    def change(decision: Decision, _: int, __: int) -> Decision:
        nonlocal owed
        if isinstance(decision, Fresh):
            return decision
        first = isinstance(decision, Reset) and not owed
        second, owed = owed, first
        return Reset(Reason.UNKNOWN) if second else decision

    return replace(parts, decide=changing(parts.decide, change))


@mutant("fresh-reset-after-restart", "reset/fresh-never")
def fresh_reset_after_restart(parts: Components) -> Components:
    """Fresh streams are reset for two seconds after a start with stored messages."""

    class Nervous(Broadcast):
        until_s = 0.0

        def jobs(self) -> list[Coroutine[None, None, None]]:
            if self.chat.window.stored:
                now_s = asyncio.get_running_loop().time()
                self.until_s = now_s + FRESH_RESET_S
            return super().jobs()

        def decision(self, cursor: str | None) -> Decision:
            decision = super().decision(cursor)
            early = asyncio.get_running_loop().time() < self.until_s
            fresh = isinstance(decision, Fresh)
            return Reset(Reason.RESTARTED) if fresh and early else decision

    return replace(parts, broadcast=Nervous)


@mutant("fresh-reset-after-eviction", "reset/fresh-never")
def fresh_reset_after_eviction(parts: Components) -> Components:
    """Fresh streams are reset once the log has evicted events."""

    def change(decision: Decision, _: int, oldest: int) -> Decision:
        evicted = isinstance(decision, Fresh) and oldest > 1
        return Reset(Reason.EVICTED) if evicted else decision

    return replace(parts, decide=changing(parts.decide, change))


def _verdict(parts: Components, reason: Reason, instead: Change) -> Components:
    """A reset for `reason` becomes something else."""

    def change(decision: Decision, head: int, oldest: int) -> Decision:
        if decision == Reset(reason):
            return instead(decision, head, oldest)
        return decision

    return replace(parts, decide=changing(parts.decide, change))
