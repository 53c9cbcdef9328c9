"""Mutants of load/*."""

from dataclasses import replace

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.event_log import Entry
from reference_server.mutants.registry import mutant
from reference_server.streams import Streams

SHORT_QUEUE = 16


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
