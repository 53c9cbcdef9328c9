"""Channels: "the set of open streams an event is fanned out to"."""

from collections.abc import Callable
from functools import partial

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
        connection.offer(entry)


class Channels:
    """A channel a uid, for as long as somebody is in it."""

    def __init__(self, new: Callable[[], Channel]) -> None:
        self.by_uid: dict[str, Channel] = {}
        self._new = new

    def join(self, uid: str, connection: Connection) -> None:
        """private/all-tabs: every open stream of a uid is in its channel."""
        if uid not in self.by_uid:
            self.by_uid[uid] = self._new()
        self.by_uid[uid].join(connection)
        connection.on_end(partial(self._tidy, uid))

    def publish(self, uid: str, entry: Entry) -> None:
        """Offer the event to everybody of `uid`."""
        if (channel := self.by_uid.get(uid)) is not None:
            channel.publish(entry)

    def _tidy(self, uid: str, _: Connection) -> None:
        channel = self.by_uid.get(uid)
        if channel is not None and not channel.members:
            del self.by_uid[uid]
