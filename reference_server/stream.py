"""The answer to `GET /events`: an ASGI response that follows one connection."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from reference_server.connections import Connection
from reference_server.core.event_log import Entry
from reference_server.core.frames import Frames

LINGER_S = 0.25
Emit = Callable[[bytes], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


async def no_more() -> tuple[Entry, ...]:
    """The first part of the replay was all."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a stream begins; `reset` is its last frame when there is one.

    `more` gives the next part of the replay each time, an empty one at its end.
    """

    connection: Connection
    ping: bytes
    replay: tuple[Entry, ...] = ()
    more: Callable[[], Awaitable[tuple[Entry, ...]]] = no_more
    reset: bytes | None = None


class EventStream:
    """Writes the opening, then live frames, until client or server ends it."""

    def __init__(self, opening: Opening, *, frames: Frames, keepalive_s: float) -> None:
        self.opening = opening
        self.connection = opening.connection
        self.keepalive = frames.keepalive
        self.keepalive_s = keepalive_s

    def headers(self) -> Headers:
        """Section 3: "`text/event-stream`, `no-store`, `X-Accel-Buffering: no`"."""
        return [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"connection", b"close"),
        ]

    async def run(self, emit: Emit) -> None:
        """Ping, then reset and end, or replay and live."""
        await emit(self.opening.ping)
        if self.opening.reset is not None:
            await emit(self.opening.reset)
            return
        await self.replay(emit)
        await self.live(emit)

    async def replay(self, emit: Emit) -> None:
        """Part by part; what comes meanwhile waits in the queue."""
        part = self.opening.replay
        while part:
            for entry in part:
                if self.connection.ended:
                    return
                await emit(entry.frame)
            part = await self.opening.more()

    async def live(self, emit: Emit) -> None:
        """Queued events; a keep-alive comment whenever none came for that long."""
        while not self.connection.ended:
            entry = await self.connection.take(self.keepalive_s)
            if not self.connection.ended:
                await emit(self.keepalive if entry is None else entry.frame)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Run the stream; whatever ends it, the connection leaves the channel.

        A client that does not read holds the writer inside `send`. Once the connection
        has ended the writer gets LINGER_S to close the response properly; then it is
        given up, and the server closes the transport.
        """
        watcher = asyncio.create_task(self._watch(receive))
        try:
            async with asyncio.timeout(None) as limit:
                self.connection.on_end(lambda _: limit.reschedule(_in(LINGER_S)))
                try:
                    await self._write(send)
                finally:
                    self.close()
        except TimeoutError:
            return
        finally:
            watcher.cancel()

    def close(self) -> None:
        """The response is over: no event may be queued for it any more."""
        self.connection.end()

    async def _write(self, send: Send) -> None:
        async def emit(frame: bytes) -> None:
            await send({"type": "http.response.body", "body": frame, "more_body": True})

        await send(
            {"type": "http.response.start", "status": 200, "headers": self.headers()}
        )
        await self.run(emit)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.close()


def _in(delay_s: float) -> float:
    return asyncio.get_running_loop().time() + delay_s
