"""Mutants of load/*."""

import asyncio
import os
import secrets
import time
from dataclasses import replace

from reference_server.channel import Channel
from reference_server.components import Components
from reference_server.connections import Connection, Connections
from reference_server.core.event_log import Entry
from reference_server.core.validation import Refused
from reference_server.mutants.registry import mutant
from reference_server.stream import EventStream
from reference_server.streams import Streams

SHORT_QUEUE = 16
HERD = 20
LEFT_BEHIND = 512 * 1024
BEHIND, WAIT_S = 8, 0.2


@mutant("unbounded-queue", "load/slow-reader")
def unbounded_queue(parts: Components) -> Components:
    """A client that does not read is never ended; its queue grows for ever."""

    class Unbounded(Connection):
        def offer(self, entry: Entry) -> None:
            self.queue_limit = len(self.queue) + 1
            super().offer(entry)

    return replace(parts, connection=Unbounded)


@mutant("fixed-retry", "load/herd")
def fixed_retry(parts: Components) -> Components:
    """`retry` is the same for every client."""

    class Fixed(Streams):
        def retry_ms(self) -> int | None:
            return self.settings.retry_ms

    return replace(parts, streams=Fixed)


@mutant("backlog-dropped", "load/slow-reader")
def backlog_dropped(parts: Components) -> Components:
    """A connection with a backlog loses events instead of being ended."""

    class Dropping(Connection):
        def offer(self, entry: Entry) -> None:
            if len(self.queue) < min(self.queue_limit, SHORT_QUEUE):
                super().offer(entry)

    return replace(parts, connection=Dropping)


@mutant("herd-refused", "load/herd")
def herd_refused(parts: Components) -> Components:
    """More than twenty streams opened within a second are refused with 503."""

    class Overrun(Streams):
        second = 0
        count = 0

        def connection(self, owner: str | None = None) -> Connection:
            second = int(asyncio.get_running_loop().time())
            self.count = self.count + 1 if second == self.second else 1
            self.second = second
            if self.count > HERD:
                raise Refused(503, "busy", "too many streams at once")
            return super().connection(owner)

    return replace(parts, streams=Overrun)


@mutant("closed-leaves-memory", "load/no-leak")
def closed_leaves_memory(parts: Components) -> Components:
    """Every stream that ends leaves a task and 512 KiB behind."""
    left: list[asyncio.Task[None]] = []

    async def stay() -> None:
        held = bytearray(b"x" * LEFT_BEHIND)
        await asyncio.Event().wait()
        del held

    class Leaving(EventStream):
        def close(self) -> None:
            if not self.connection.ended:
                left.append(asyncio.create_task(stay()))
            super().close()

    return replace(parts, stream=Leaving)


@mutant("vanished-leave-files", "load/no-leak")
def vanished_leave_files(parts: Components) -> Components:
    """A client that goes away leaves an open file descriptor behind."""

    class Leaving(EventStream):
        def close(self) -> None:
            if not self.connection.ended:
                os.open(os.devnull, os.O_RDONLY)
            super().close()

    return replace(parts, stream=Leaving)


@mutant("closed-stays-in-channel", "load/no-leak")
def closed_stays_in_channel(parts: Components) -> Components:
    """A stream whose client has gone stays in the channel; its queue fills."""

    class Ghosts(Channel):
        def leave(self, connection: Connection) -> None:
            pass

    class Ghost(Connection):
        def offer(self, entry: Entry) -> None:
            self.queue.append(entry)
            self._wakeup.set()

    return replace(parts, channel=Ghosts, connection=Ghost)


@mutant("fan-out-waits", "load/slow-reader")
def fan_out_waits(parts: Components) -> Components:
    """Fan-out waits a little for a client with a backlog before it goes on."""

    class Waiting(Channel):
        def deliver(self, connection: Connection, entry: Entry) -> None:
            if len(connection.queue) >= BEHIND:
                time.sleep(WAIT_S)
            super().deliver(connection, entry)

    return replace(parts, channel=Waiting)


@mutant("retry-barely-spread", "load/herd")
def retry_barely_spread(parts: Components) -> Components:
    """`retry` differs by a millisecond or two, which spreads nobody."""

    class Barely(Streams):
        def retry_ms(self) -> int | None:
            base = self.settings.retry_ms
            return None if base is None else base + secrets.randbelow(3)

    return replace(parts, streams=Barely)


@mutant("silent-leave-files", "load/no-leak")
def silent_leave_files(parts: Components) -> Components:
    """A connection that the ping watchdog ends leaves an open file descriptor."""

    class Leaving(Connections):
        def sweep(self, now_s: float) -> None:
            before = len(self.open)
            super().sweep(now_s)
            for _ in range(before - len(self.open)):
                os.open(os.devnull, os.O_RDONLY)

    return replace(parts, connections=Leaving)


@mutant("neighbour-of-ended-skipped", "event/no-loss", "log")
def neighbour_of_ended_skipped(parts: Components) -> Components:
    """Where an event overflows a stream the one after it misses that event."""

    class Skipping(Channel):
        def publish(self, entry: Entry) -> None:
            skip = False
            for connection in list(self.members.values()):
                if not skip:
                    self.deliver(connection, entry)
                skip = not skip and connection.ended

    return replace(parts, channel=Skipping)
