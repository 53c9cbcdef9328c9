"""Mutants of ping/*."""

import asyncio
import secrets
from dataclasses import replace

from reference_server.components import Components
from reference_server.connections import Connection, Connections
from reference_server.mutants.registry import mutant
from reference_server.streams import Streams

CONSTANT_ID = "connection"


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
