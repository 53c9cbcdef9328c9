"""A channel: "the set of open streams an event is fanned out to"."""

from reference_server.connections import Connection
from reference_server.core.event_log import Entry


class Channel:
    """Members in the order in which they joined; fan-out never waits."""

    def __init__(self) -> None:
        self.members: dict[str, Connection] = {}

    def join(self, connection: Connection) -> None:
        """From now on `connection` gets every event, until it ends."""
        self.members[connection.id] = connection
        connection.on_end(self.leave)

    def leave(self, connection: Connection) -> None:
        """No event reaches `connection` any more."""
        self.members.pop(connection.id, None)

    def publish(self, entry: Entry) -> None:
        """Offer the event to every member; one that overflows ends and leaves."""
        for connection in list(self.members.values()):
            self.deliver(connection, entry)

    def deliver(self, connection: Connection, entry: Entry) -> None:
        """Offer the event to one member."""
        connection.offer(entry.frame)
