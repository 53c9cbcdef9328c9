"""Open streams, each with its bounded queue, and the ping watchdog over them."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from reference_server.core.event_log import Entry

# Deadlines that lie closer together are swept at once.
SWEEP_S = 0.02


class EndListener(Protocol):
    """Told once, synchronously, that a connection has ended."""

    def __call__(self, connection: "Connection", /) -> None: ...


class Connection:
    """One stream from registration to its end; `owner` is its uid where there is one.

    Entries up to number `floor` have come by another way: by a replay that was read
    while this connection was live already.
    """

    def __init__(
        self, *, connection_id: str, queue_limit: int, owner: str | None = None
    ) -> None:
        self.id = connection_id
        self.owner = owner
        self.floor = 0
        self.ended = False
        self.deadline_s = 0.0
        self.queue: deque[Entry] = deque()
        self.queue_limit = queue_limit
        self._wakeup = asyncio.Event()
        self._listeners: list[EndListener] = []

    def on_end(self, listener: EndListener) -> None:
        """Have `listener` called when this connection ends, at once if it has."""
        self._listeners.append(listener)
        if self.ended:
            listener(self)

    def offer(self, entry: Entry) -> None:
        """Queue `entry`; on overflow "the server ends that one connection"."""
        if entry.seq <= self.floor:
            return
        if len(self.queue) >= self.queue_limit:
            self.end()
            return
        self.queue.append(entry)
        self._wakeup.set()

    def skip_to(self, seq: int) -> None:
        """What has a number up to `seq` is not sent any more, queued or to come."""
        self.floor = seq
        self.queue = deque(entry for entry in self.queue if entry.seq > seq)

    async def take(self, timeout_s: float) -> Entry | None:
        """The next entry; None when none came in time or the connection ended."""
        if not self.queue and not self.ended:
            self._wakeup.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._wakeup.wait()
        return self.queue.popleft() if self.queue else None

    def end(self) -> None:
        """End the stream; what is queued is not sent any more."""
        if self.ended:
            return
        self.ended = True
        self.queue.clear()
        self._wakeup.set()
        for listener in self._listeners:
            listener(self)


class Connections:
    """Every open stream by id, in the order of their ping deadlines.

    All deadlines lie equally far after the last ping, so a pinged connection moves to
    the end and the first one is always the next to be due.
    """

    def __init__(self, *, patience_s: float) -> None:
        self.patience_s = patience_s
        self.open: dict[str, Connection] = {}
        self._some_open = asyncio.Event()

    def register(self, connection: Connection) -> None:
        """Watch `connection` until it ends."""
        connection.on_end(self.forget)
        self.touch(connection)

    def forget(self, connection: Connection) -> None:
        """The connection has ended: "unknown or closed connection: 404"."""
        self.open.pop(connection.id, None)

    def ping(self, connection_id: str, owner: str | None = None) -> bool:
        """Note a ping; False when `owner` has no such open connection."""
        connection = self.open.get(connection_id)
        if connection is None or connection.owner != owner:
            return False
        del self.open[connection_id]
        self.touch(connection)
        return True

    def end_all(self) -> None:
        """End every stream, in order."""
        for connection in list(self.open.values()):
            connection.end()

    async def watch(self) -> None:
        """End what was "not pinged for interval + grace"; the one sweep task."""
        while True:
            await self._next_deadline()
            self.sweep(_now_s())

    def sweep(self, now_s: float) -> None:
        """End the connections that are due."""
        while (first := self._first()) is not None and first.deadline_s <= now_s:
            first.end()

    async def _next_deadline(self) -> None:
        if not self.open:
            self._some_open.clear()
            await self._some_open.wait()
        first = self._first()
        if first is not None:
            await asyncio.sleep(max(SWEEP_S, first.deadline_s - _now_s()))

    def _first(self) -> Connection | None:
        return next(iter(self.open.values()), None)

    def touch(self, connection: Connection) -> None:
        """Give `connection` a new deadline, the last of all."""
        connection.deadline_s = _now_s() + self.patience_s
        self.open[connection.id] = connection
        self._some_open.set()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
