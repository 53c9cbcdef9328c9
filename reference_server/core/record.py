"""The record of one uid: "{events, next id}", made at its first event."""

from collections import deque

from reference_server.core.event_log import Entry, Event, EventLog


class Record:
    """An event log bounded by age; `at_ms` are times of the server's own clock."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.times_ms: deque[int] = deque()

    @property
    def is_empty(self) -> bool:
        """An empty record goes, and with it the epoch of its cursors."""
        return not self.times_ms

    def append(self, event: Event, at_ms: int) -> Entry:
        """Number and keep `event`."""
        self.times_ms.append(at_ms)
        return self.log.append(event)

    def prune(self, before_ms: int) -> None:
        """private/prune: drop what is older; an event of `before_ms` itself stays."""
        while self.times_ms and self.times_ms[0] < before_ms:
            self.times_ms.popleft()
            self.log.drop_oldest()
