"""Mutants of ping/*."""

import asyncio
import math
import secrets
from dataclasses import replace

from reference_server.components import Components
from reference_server.connections import Connection, Connections
from reference_server.core.event_log import EventLog
from reference_server.core.resume import Decision, Fresh, Resume
from reference_server.mutants.registry import mutant
from reference_server.stream import EventStream
from reference_server.streams import Join, Streams

CONSTANT_ID = "connection"
SCAN_S = 0.02
AT_ONCE_S = 0.1


@mutant("constant-connection-id", "ping/unique-connection")
def constant_connection_id(parts: Components) -> Components:
    """Every ping frame names the same connection id; a ping of it keeps all."""

    class Same(Streams):
        def ping_frame(
            self, connection: Connection, cursor: str | None = None
        ) -> bytes:
            frame = super().ping_frame(connection, cursor)
            return frame.replace(connection.id.encode(), CONSTANT_ID.encode())

    class All(Connections):
        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            if connection_id != CONSTANT_ID or not self.open:
                return False
            for each in list(self.open):
                super().ping(each, owner)
            return True

    return replace(parts, streams=Same, connections=All)


@mutant("reused-connection-id", "ping/unique-connection")
def reused_connection_id(parts: Components) -> Components:
    """A new connection gets the id of one that has closed."""
    freed: list[str] = []

    class Freeing(Connections):
        def forget(self, connection: Connection) -> None:
            super().forget(connection)
            freed.append(connection.id)

    def reuse() -> str:
        return freed.pop(0) if freed else secrets.token_hex(8)

    return replace(parts, connections=Freeing, new_connection_id=reuse)


@mutant("silent-kept", "ping/silent-dropped")
def silent_kept(parts: Components) -> Components:
    """A connection that is not pinged is never dropped."""

    class Patient(Connections):
        async def watch(self) -> None:
            await asyncio.Event().wait()

    return replace(parts, connections=Patient)


@mutant("dropped-still-listed", "ping/silent-dropped")
def dropped_still_listed(parts: Components) -> Components:
    """A silent connection's response ends, but it stays registered: pings of it are
    still answered with 204."""

    class Ghosts(Connections):
        def __init__(self, *, patience_s: float) -> None:
            super().__init__(patience_s=patience_s)
            self.ghosts: list[str] = []

        def sweep(self, now_s: float) -> None:
            before = list(self.open)
            super().sweep(now_s)
            self.ghosts += [each for each in before if each not in self.open]

        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            return super().ping(connection_id, owner) or connection_id in self.ghosts

    return replace(parts, connections=Ghosts)


@mutant("pings-ignored", "ping/pinged-kept")
def pings_ignored(parts: Components) -> Components:
    """Pings are answered with 204 but do not keep the connection."""

    class Deaf(Connections):
        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            connection = self.open.get(connection_id)
            return connection is not None and connection.owner == owner

    return replace(parts, connections=Deaf)


@mutant("unknown-ping-accepted", "ping/unknown-refused")
def unknown_ping_accepted(parts: Components) -> Components:
    """A ping for an id that was never given out is answered with 204."""

    class Lenient(Connections):
        def __init__(self, *, patience_s: float) -> None:
            super().__init__(patience_s=patience_s)
            self.closed: list[str] = []

        def forget(self, connection: Connection) -> None:
            super().forget(connection)
            self.closed.append(connection.id)

        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            return (
                super().ping(connection_id, owner) or connection_id not in self.closed
            )

    return replace(parts, connections=Lenient)


@mutant("closed-ping-accepted", "ping/unknown-refused")
def closed_ping_accepted(parts: Components) -> Components:
    """A ping for a connection that its client has closed is answered with 204."""

    class Lenient(Connections):
        def __init__(self, *, patience_s: float) -> None:
            super().__init__(patience_s=patience_s)
            self.closed: list[str] = []

        def forget(self, connection: Connection) -> None:
            super().forget(connection)
            self.closed.append(connection.id)

        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            return super().ping(connection_id, owner) or connection_id in self.closed

    return replace(parts, connections=Lenient)


class Scanning(Connections):
    """Looks at every connection, in whatever order their deadlines are."""

    def sweep(self, now_s: float) -> None:
        """End those whose time is up."""
        for one in list(self.open.values()):
            if one.deadline_s <= now_s:
                one.end()

    async def _next_deadline(self) -> None:
        await asyncio.sleep(SCAN_S)


@mutant("pinged-once-is-for-ever", "ping/silent-dropped", "private")
def pinged_once_is_for_ever(parts: Components) -> Components:
    """After its first ping a connection is not watched any more."""

    class Trusting(Scanning):
        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            known = super().ping(connection_id, owner)
            if known:
                self.open[connection_id].deadline_s = math.inf
            return known

    return replace(parts, connections=Trusting)


@mutant("fresh-unwatched", "ping/silent-dropped")
def fresh_unwatched(parts: Components) -> Components:
    """A stream without a cursor is not watched until its first ping."""

    class Lax(Streams):
        def open(
            self,
            decision: Decision,
            join: Join,
            *,
            log: EventLog | None,
            owner: str | None = None,
        ) -> EventStream:
            made = super().open(decision, join, log=log, owner=owner)
            if isinstance(decision, Fresh):
                made.connection.deadline_s = math.inf
            return made

    return replace(parts, streams=Lax, connections=Scanning)


@mutant("resumed-pings-unknown", "ping/pinged-kept")
def resumed_pings_unknown(parts: Components) -> Components:
    """The id that a resumed stream was given is unknown to its pings."""

    class Forgetful(Streams):
        def open(
            self,
            decision: Decision,
            join: Join,
            *,
            log: EventLog | None,
            owner: str | None = None,
        ) -> EventStream:
            made = super().open(decision, join, log=log, owner=owner)
            if isinstance(decision, Resume):
                known = self.connections.open
                known[f"{made.connection.id}?"] = known.pop(made.connection.id)
            return made

    return replace(parts, streams=Forgetful)


@mutant("two-pings-at-once-kill", "ping/pinged-kept", "log")
def two_pings_at_once_kill(parts: Components) -> Components:
    """Of two pings at once the first one's timer is left behind, and ends it."""

    class Timers(Connections):
        def __init__(self, *, patience_s: float) -> None:
            super().__init__(patience_s=patience_s)
            self.last_s: dict[str, float] = {}

        def ping(self, connection_id: str, owner: str | None = None) -> bool:
            known = super().ping(connection_id, owner)
            if known:
                loop = asyncio.get_running_loop()
                if loop.time() - self.last_s.get(connection_id, -1) < AT_ONCE_S:
                    loop.call_later(self.patience_s, self.open[connection_id].end)
                self.last_s[connection_id] = loop.time()
            return known

    return replace(parts, connections=Timers)
