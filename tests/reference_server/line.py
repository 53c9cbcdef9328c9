"""A line to PostgreSQL that breaks at the COMMIT of a change, or falls silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

COMMIT = b"COMMIT"
CHANGES = (b"INSERT", b"UPDATE", b"DELETE")


class Trouble(Enum):
    """What happens from now on."""

    NONE = auto()
    COMMIT_LOST = auto()
    ANSWER_LOST = auto()
    COMMIT_LATE = auto()
    SILENT = auto()


class Line:
    """Forwards bytes both ways; `late` lets a COMMIT_LATE reach the database."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.trouble = Trouble.NONE
        self.late = asyncio.Event()
        self.met = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        upstream = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        answers = asyncio.create_task(self.answers(upstream[0], writer))
        self.tasks.append(answers)
        with suppress(ConnectionError, asyncio.CancelledError):
            await self.requests(reader, writer, upstream[1])
        answers.cancel()
        for each in (writer, upstream[1]):
            each.close()

    async def requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamWriter,
    ) -> None:
        """To the database."""
        changed = False
        while chunk := await reader.read(65536):
            changed = changed or any(each in chunk for each in CHANGES)
            if self.trouble is Trouble.SILENT:
                continue
            if changed and COMMIT in chunk and self.trouble is not Trouble.NONE:
                await self.break_at(chunk, writer, upstream)
                return
            changed = changed and COMMIT not in chunk
            upstream.write(chunk)
            await upstream.drain()

    async def break_at(
        self, chunk: bytes, writer: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        """The client's side is cut at once; what becomes of the COMMIT differs."""
        trouble, self.trouble = self.trouble, Trouble.NONE
        writer.transport.abort()
        self.met.set()
        if trouble is Trouble.COMMIT_LATE:
            await self.late.wait()
        if trouble is not Trouble.COMMIT_LOST:
            upstream.write(chunk)
            await upstream.drain()

    async def answers(
        self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """From the database."""
        with suppress(ConnectionError):
            while chunk := await upstream.read(65536):
                if self.trouble is not Trouble.SILENT:
                    writer.write(chunk)
                    await writer.drain()
        if self.trouble is not Trouble.SILENT:
            writer.close()


@asynccontextmanager
async def line(upstream_port: int) -> AsyncIterator[tuple[Line, int]]:
    """A line and the port of its near end."""
    made = Line(upstream_port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        made.late.set()
        server.close()
        for task in made.tasks:
            task.cancel()
