"""Open streams: what each is sent, and when it ends.

A frame is written to every socket in one step; there are no queues, and no tasks of
streams. That a client has gone is found out by writing to it.
"""

import asyncio
import secrets
from argparse import Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.foreign.event import Event
from tests.foreign.wire import STREAM_HEAD, Refused, Request, answer, to_json

BACKLOG = 1 << 18
"""A client that has left so many bytes unread is hung up on."""

FLUSH_S = 1.0
FAN_OUT_S = 0.04
"""So long after its answer an event goes out: no rule says which comes first."""


class Listener:
    """One stream; `owner` is whose it is, `head` the last event before it joined."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        owner: str,
        limits: Namespace,
        on_end: "Callable[[Listener], None]",
    ) -> None:
        self.owner, self.head, self.on_end = owner, 0, on_end
        self.number = secrets.randbelow(1 << 48)
        self.open = True
        self.every_ms = limits.ping
        self.patience_s = (limits.ping + limits.grace) / 1000
        self.quiet_s = limits.keepalive / 1000
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._patience = self._loop.call_later(self.patience_s, self.end)
        self._murmur = self._loop.call_later(self.quiet_s, self.murmur)

    def greet(self, mark: str) -> None:
        """The ping frame; a byte order mark and a comment are no part of it."""
        self._writer.write(STREAM_HEAD + b"\xef\xbb\xbf")
        data = to_json({"interval": float(self.every_ms), "id": self.number})
        ident = f"id:{mark}\n" if mark else ""
        self.write(f":{'.' * 80}\r\revent:ping\ndata:{data}\n{ident}\n")

    def replay(self, events: Iterable[Event]) -> None:
        """What was missed."""
        self.write("".join(event.briefly() for event in events))

    def tell(self, event: Event) -> None:
        """What happens now."""
        self.write(event.at_length(self.number))

    def reset(self, reason: str) -> None:
        """Continuity is lost; the empty id makes a browser forget its cursor."""
        data = to_json({"reason": reason})
        self.write(f"id\ndata: {data}\nevent: reset\n\n")
        self.end()

    def murmur(self) -> None:
        """The keep-alive: a comment line, and no blank line after it."""
        self.write(": ...\r\n")

    def rest(self) -> None:
        """No keep-alive till something is written."""
        self._murmur.cancel()

    def write(self, text: str) -> None:
        """Hand over bytes; who reads none of them is ended."""
        transport = self._writer.transport
        if transport.get_write_buffer_size() > BACKLOG:
            self.end()
            transport.abort()
        if self.open:
            self._writer.write(text.encode())
            self.rest()
            self._murmur = self._loop.call_later(self.quiet_s, self.murmur)

    def pinged(self) -> None:
        """Be patient again for as long as at first."""
        self._patience.cancel()
        if self.open:
            self._patience = self._loop.call_later(self.patience_s, self.end)

    def end(self) -> None:
        """End the response; what is written already may still go out."""
        if self.open:
            self.open = False
            self.on_end(self)
            self._patience.cancel()
            self.rest()
            self._writer.close()
            self._loop.call_later(FLUSH_S, self._writer.transport.abort)

    async def gone(self) -> None:
        """Wait until the connection is."""
        with suppress(OSError):
            await self._writer.wait_closed()
        self.end()


class Audience:
    """Every open stream of one profile."""

    def __init__(self, limits: Namespace) -> None:
        self.limits = limits
        self.by_number: dict[int, Listener] = {}

    def listen(self, writer: asyncio.StreamWriter, owner: str = "") -> Listener:
        """A stream that gets nothing yet."""
        limits, leave = self.limits, self.leave
        return Listener(writer, owner=owner, limits=limits, on_end=leave)

    def join(self, listener: Listener, *, head: int) -> None:
        """It gets what comes after event `head`."""
        listener.head = head
        self.by_number[listener.number] = listener

    def leave(self, listener: Listener) -> None:
        """It gets nothing any more, and no ping finds it."""
        self.by_number.pop(listener.number, None)

    def tell(self, event: Event, owner: str = "") -> None:
        """Send an event to whom it concerns, in a moment and in turn."""
        loop = asyncio.get_running_loop()
        loop.call_later(FAN_OUT_S, self._tell, event, owner)

    def _tell(self, event: Event, owner: str) -> None:
        for listener in list(self.by_number.values()):
            if listener.owner == owner and listener.head < event.number:
                listener.tell(event)

    def alive(self, request: Request, owner: str = "") -> bytes:
        """The answer to a ping."""
        ident = request.query.get("id", "")
        if not ident:
            raise Refused(400, "no-id", "whose ping is this?")
        if not self.ping(ident, owner):
            raise Refused(404, "no-such-stream", "nobody listens there")
        return answer(204)

    def ping(self, ident: str, owner: str) -> bool:
        """Note a ping; False when the owner has no such stream."""
        number = int(ident) if ident.isdecimal() and len(ident) < 20 else -1
        listener = self.by_number.get(number)
        if listener is None or listener.owner != owner:
            return False
        listener.pinged()
        return True
