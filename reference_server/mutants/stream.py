"""Mutants of stream/*."""

import asyncio
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.event_log import Event, EventLog
from reference_server.core.frames import Frames
from reference_server.core.resume import Decision, Resume
from reference_server.mutants.registry import mutant
from reference_server.stream import Emit, EventStream, Headers, Opening
from reference_server.streams import Join, Streams

KEEPALIVES = 3
REGISTRATION_DELAY_S = 0.15


@mutant("content-type-plain", "stream/content-type")
def content_type_plain(parts: Components) -> Components:
    """Streams are sent as text/plain."""

    class Plain(EventStream):
        def headers(self) -> Headers:
            plain = (b"content-type", b"text/plain; charset=utf-8")
            return [plain, *super().headers()[1:]]

    return replace(parts, stream=Plain)


@mutant("data-not-utf8", "stream/content-type")
def data_not_utf8(parts: Components) -> Components:
    """Event data with characters beyond ASCII holds bytes that are not UTF-8."""

    class Broken(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            frame = super().event(cursor, event)
            return bytes(0xFF if byte >= 0xC0 else byte for byte in frame)

    return replace(parts, frames=Broken)


@mutant("no-ping-on-resume", "stream/first-frame-ping")
def no_ping_on_resume(parts: Components) -> Components:
    """Resumed streams get no ping frame (and are not watched for pings)."""

    class Silent(Streams):
        def opening(
            self, connection: Connection, decision: Decision, log: EventLog | None
        ) -> Opening:
            opening = super().opening(connection, decision, log)
            if not isinstance(decision, Resume):
                return opening
            self.connections.forget(connection)
            return replace(opening, ping=self.frames.keepalive)

    return replace(parts, streams=Silent)


@mutant("ping-after-replay", "stream/first-frame-ping")
def ping_after_replay(parts: Components) -> Components:
    """The ping frame comes after the replayed events."""

    class Late(EventStream):
        async def run(self, emit: Emit) -> None:
            if self.opening.reset is not None:
                await super().run(emit)
                return
            await self.replay(emit)
            await emit(self.opening.ping)
            await self.live(emit)

    return replace(parts, stream=Late)


@mutant("ping-without-interval", "stream/first-frame-ping")
def ping_without_interval(parts: Components) -> Components:
    """The ping frame names the connection but no interval."""

    class Bare(Frames):
        def ping(
            self,
            connection_id: str,
            interval_ms: int,  # noqa: ARG002 - leaving it out is the bug
            *,
            cursor: str | None = None,
            retry_ms: int | None = None,
        ) -> bytes:
            data = {"id": connection_id}
            return self.block("ping", data, cursor=cursor, retry_ms=retry_ms)

    return replace(parts, frames=Bare)


@mutant("late-registration", "stream/registered-before-ping")
def late_registration(parts: Components) -> Components:
    """The connection joins the channel 150 ms after its ping frame; what is committed
    in between is lost to it."""

    class Late(Streams):
        def join(self, connection: Connection, join: Join) -> None:
            def join_late() -> None:
                if not connection.ended:
                    join(connection)

            asyncio.get_running_loop().call_later(REGISTRATION_DELAY_S, join_late)

    return replace(parts, streams=Late)


@mutant("no-stream-headers", "stream/no-store")
def no_stream_headers(parts: Components) -> Components:
    """Streams lack Cache-Control and X-Accel-Buffering."""
    return replace(parts, stream=_without(b"cache-control", b"x-accel-buffering"))


@mutant("no-accel-header", "stream/no-store")
def no_accel_header(parts: Components) -> Components:
    """Streams lack X-Accel-Buffering only."""
    return replace(parts, stream=_without(b"x-accel-buffering"))


def _without(*names: bytes) -> type[EventStream]:
    class Without(EventStream):
        def headers(self) -> Headers:
            return [pair for pair in super().headers() if pair[0] not in names]

    return Without


@mutant("no-keepalive", "stream/keepalive")
def no_keepalive(parts: Components) -> Components:
    """An idle stream stays silent for ever."""

    class Silent(EventStream):
        async def live(self, emit: Emit) -> None:
            while not self.connection.ended:
                entry = await self.connection.take(self.keepalive_s)
                if entry is not None:
                    await emit(entry.frame)

    return replace(parts, stream=Silent)


@mutant("slow-keepalive", "stream/keepalive")
def slow_keepalive(parts: Components) -> Components:
    """Keep-alives come three times too slowly."""

    class Slow(EventStream):
        async def live(self, emit: Emit) -> None:
            self.keepalive_s *= 3
            await super().live(emit)

    return replace(parts, stream=Slow)


@mutant("keepalive-until-first-event", "stream/survives-idle-proxy")
def keepalive_until_first_event(parts: Components) -> Components:
    """Keep-alives end with the first live event of a stream."""

    class Hushed(EventStream):
        async def live(self, emit: Emit) -> None:
            hushed = False

            async def hush(frame: bytes) -> None:
                nonlocal hushed
                hushed = hushed or frame is not self.keepalive
                if not (hushed and frame is self.keepalive):
                    await emit(frame)

            await super().live(hush)

    return replace(parts, stream=Hushed)


@mutant("keepalive-gives-up", "stream/survives-idle-proxy")
def keepalive_gives_up(parts: Components) -> Components:
    """After three keep-alives in a row there is none until the next event."""

    class Tired(EventStream):
        async def live(self, emit: Emit) -> None:
            sent = 0

            async def tire(frame: bytes) -> None:
                nonlocal sent
                sent = sent + 1 if frame is self.keepalive else 0
                if sent <= KEEPALIVES:
                    await emit(frame)

            await super().live(tire)

    return replace(parts, stream=Tired)


@mutant("accel-header-needs-http-1.1", "stream/survives-idle-proxy")
def accel_header_needs_http_1_1(parts: Components) -> Components:
    """X-Accel-Buffering is left out for HTTP/1.0, which nginx speaks by default."""

    class Modern(EventStream):
        modern = True

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.modern = scope.get("http_version") != "1.0"
            await super().__call__(scope, receive, send)

        def headers(self) -> Headers:
            name = b"x-accel-buffering"
            return [p for p in super().headers() if self.modern or p[0] != name]

    return replace(parts, stream=Modern)


@mutant("no-keepalive-over-http10", "stream/survives-idle-proxy")
def no_keepalive_over_http10(parts: Components) -> Components:
    """A stream asked for with HTTP/1.0, as nginx does, gets no keep-alive after its
    first."""

    class Bare(EventStream):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.is_bare = scope.get("http_version") == "1.0"
            await super().__call__(scope, receive, send)

        async def live(self, emit: Emit) -> None:
            sent = 0

            async def emit_some(frame: bytes) -> None:
                nonlocal sent
                if frame == self.keepalive and self.is_bare:
                    sent += 1
                if sent < 2 or frame != self.keepalive:
                    await emit(frame)

            await super().live(emit_some)

    return replace(parts, stream=Bare)


@mutant("no-keepalive-after-replay", "stream/keepalive")
def no_keepalive_after_replay(parts: Components) -> Components:
    """A stream that began with a replay has no keep-alive before its first event."""

    class Quiet(EventStream):
        async def live(self, emit: Emit) -> None:
            quiet = bool(self.opening.replay)

            async def emit_some(frame: bytes) -> None:
                nonlocal quiet
                quiet = quiet and frame is self.keepalive
                if not quiet:
                    await emit(frame)

            await super().live(emit_some)

    return replace(parts, stream=Quiet)
