"""Mutants that take a cursor for one that is near it."""

from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.core.cursor import Cursor
from reference_server.core.resume import Decision, Reason, Reset, Resume
from reference_server.mutants.registry import mutant
from reference_server.profiles.broadcast import Broadcast, BroadcastApi


@mutant("next-cursor-accepted", "reset/unknown-cursor")
def next_cursor_accepted(parts: Components) -> Components:
    """A cursor one beyond the head goes live."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        if text == f"{epoch}-{head + 1}":
            return Resume(head)
        return parts.decide(text, epoch=epoch, head=head, oldest=oldest)

    return replace(parts, decide=decide)


@mutant("cursor-beyond-ascii-500", "reset/unknown-cursor")
def cursor_beyond_ascii_500(parts: Components) -> Components:
    """A cursor that is not ASCII is answered with a 500."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        (text or "").encode("ascii")
        return parts.decide(text, epoch=epoch, head=head, oldest=oldest)

    return replace(parts, decide=decide)


@mutant("query-after-bad-header", "reset/unknown-cursor")
def query_after_bad_header(parts: Components) -> Components:
    """Where the header's cursor is of no use the query's is tried."""

    class Second(Broadcast):
        query: str | None = None

        def decision(self, cursor: str | None) -> Decision:
            decision = super().decision(cursor)
            if isinstance(decision, Reset) and self.query:
                return super().decision(self.query)
            return decision

    class Api(BroadcastApi):
        async def events(self, request: Request) -> ASGIApp:
            assert isinstance(self.service, Second)
            self.service.query = request.query_params.get("lastEventId")
            return await super().events(request)

    return replace(parts, broadcast=Second, broadcast_api=Api)


@mutant("first-cursor-of-any-life", "reset/restart")
def first_cursor_of_any_life(parts: Components) -> Components:
    """The cursor before the first event is good in every life that has kept all."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        decision = parts.decide(text, epoch=epoch, head=head, oldest=oldest)
        read = Cursor.parse(text or "")
        restarted = decision == Reset(Reason.RESTARTED)
        if restarted and read is not None and read.seq == 0 and oldest == 1:
            return Resume(0)
        return decision

    return replace(parts, decide=decide)
