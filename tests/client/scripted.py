"""A raw socket server that does to each stream what its script says, byte by byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from harness.client.calls import Calls
from harness.core.fault import Close
from harness.core.history import Closed, Frame, Invoke, Opened
from harness.core.recorder import Recorder
from harness.core.target import Paths
from harness.link import DirectLink
from harness.live.sockets import dial
from harness.reach import Reach, Way
from harness.waiter import Waiter
from tests.core.records import header

PATHS = Paths(
    events="/events",
    messages="/messages",
    message="/messages/{id}",
    ping="/ping",
    init="/init",
    history="/history",
)
PERSONAL = Paths(
    events="/events",
    messages="/messages",
    message="/messages/{id}",
    ping="/ping",
    history="/history",
    operator="/operator/{uid}/messages",
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = HEAD + b"\r\n"
_numbers = count(1)
LONG_MS = 600_000
PING = f'event: ping\ndata: {{"id": "c1", "interval": {LONG_MS}}}\n\n'


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def cursors(self) -> tuple[str | None, str | None]:
        return self.headers.get("last-event-id"), self.query.get("lastEventId")


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: Any) -> None:
        self.reader = reader
        self.writer = writer
        self.sent = 0
        self.hung_up = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        self.sent += len(data)
        await self.writer.drain()

    async def stream(self, *frames: str) -> None:
        """The head of a good stream, then these frames."""
        await self.send(CHUNKED)
        for frame in frames:
            await self.frame(frame)

    async def frame(self, frame: str | bytes) -> None:
        """These bytes as one chunk."""
        data = frame.encode() if isinstance(frame, str) else frame
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """End the response as one should."""
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Close with a reset."""
        linger = struct.pack("ii", 1, 0)
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client hangs up."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass
        self.hung_up = True


T = TypeVar("T")
Script = Callable[[Wire], Awaitable[None]]


def frames(*texts: str, then: str = "hold") -> Script:
    """A stream of these frames, then held open, ended, cut (FIN) or reset."""

    async def script(wire: Wire) -> None:
        await wire.stream(*texts)
        if then == "hold":
            await wire.gone()
        elif then == "end":
            await wire.end()
        elif then == "reset":
            await asyncio.sleep(0.05)  # a reset overtakes bytes not read yet
            wire.reset()

    return script


def answer(status: int, body: bytes = b"", head: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status} x\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def raw(*parts: bytes) -> Script:
    """These bytes, one write each, then FIN."""

    async def script(wire: Wire) -> None:
        for part in parts:
            await wire.send(part)

    return script


def refusal(status: int) -> Script:
    return raw(answer(status, b"{}"))


def snapshot(*ids: int, cursor: str | None = None) -> bytes:
    messages = [{"id": i, "value": {"text": f"m{i}"}} for i in ids]
    fields = {"messages": messages, "limit": 20}
    return msgspec.json.encode(fields | ({"cursor": cursor} if cursor else {}))


def event(kind: str, number: int, cursor: str = "", text: str = "") -> str:
    data: dict[str, Any] = {"id": number}
    if kind != "delete":
        data["value"] = {"text": text or f"m{number}"}
    id_line = f"id: {cursor}\n" if cursor else ""
    return f"event: {kind}\n{id_line}data: {msgspec.json.encode(data).decode()}\n\n"


async def idle(wire: Wire) -> None:
    await wire.stream(PING)
    await wire.gone()


@dataclass
class ScriptedServer:
    """`streams` are the scripts of /events in turn, the last for all that follow.

    `init` holds snapshots in turn likewise; `before_init` runs before each answer.
    `others` are scripts by path for everything else.
    """

    streams: list[Script] = field(default_factory=lambda: [idle])
    init: list[bytes] = field(default_factory=lambda: [snapshot()])
    others: dict[str, Script] = field(default_factory=dict)
    before_init: Callable[[], Awaitable[None]] | None = None
    asked: list[Asked] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    address: tuple[str, int] = ("127.0.0.1", 0)
    snapshot_path: str = PATHS.snapshot

    def of(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    @property
    def cursors(self) -> list[tuple[str | None, str | None]]:
        """Header and query of each request for the stream."""
        return [one.cursors for one in self.of(PATHS.events)]

    async def serve(self, reader: asyncio.StreamReader, writer: Any) -> None:
        wire = Wire(reader, writer)
        self.wires.append(wire)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = await _request(reader)
                self.asked.append(asked)
                if asked.path == self.snapshot_path and asked.path not in self.others:
                    if self.before_init is not None:
                        await self.before_init()
                    await wire.send(answer(200, _turn(self.init, self._count(asked))))
                elif asked.path == PATHS.ping and asked.path not in self.others:
                    await wire.send(answer(204))
                else:
                    await self._script(asked)(wire)
                    return

    def _script(self, asked: Asked) -> Script:
        if asked.path == PATHS.events:
            return _turn(self.streams, self._count(asked))
        return self.others.get(asked.path, refusal(404))

    def _count(self, asked: Asked) -> int:
        return len(self.of(asked.path)) - 1


def _turn(things: list[T], number: int) -> T:
    return things[min(number, len(things) - 1)]


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Asked(method, parts.path, query, headers, body)


class DirectNetwork:
    """Every link goes straight to one address."""

    def __init__(self, address: Callable[[], tuple[str, int]]) -> None:
        self._address = address

    def link(self, *, direct: bool, close: Close) -> DirectLink:
        del direct, close
        return DirectLink(lambda timeout: dial(self._address(), timeout))


@dataclass
class Bench:
    """A scripted server, a recorder, and real connections to the one."""

    server: ScriptedServer
    recorder: Recorder
    reach: Reach
    waiter: Waiter

    def way(self, who: str = "alice") -> Way:
        return self.reach.way(who)

    def calls(self, who: str = "alice", **fields: str) -> Calls:
        return self.reach.calls(who, **fields)

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.recorder.records if isinstance(one, kind)]

    @property
    def opened(self) -> list[Opened]:
        return self.of(Opened)

    @property
    def closed(self) -> list[Closed]:
        return self.of(Closed)

    @property
    def frames(self) -> list[Frame]:
        return self.of(Frame)

    @property
    def invokes(self) -> list[Invoke]:
        return self.of(Invoke)

    async def until(self, condition: Callable[[], bool], what: str = "it") -> None:
        await self.waiter.until(condition, what, within_s=8)


@asynccontextmanager
async def bench(
    folder: Path, *streams: Script, paths: Paths = PATHS, **fields: Any
) -> AsyncIterator[Bench]:
    """Everything that a client needs, and all of it closed at the end."""
    script = ScriptedServer(**fields, snapshot_path=paths.snapshot)
    script.streams = list(streams) or script.streams
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: Any) -> None:
        try:
            await script.serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: Any) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    script.address = listener.sockets[0].getsockname()[:2]
    loop = asyncio.get_running_loop()
    began = loop.time()
    path = folder / f"{next(_numbers)}.jsonl"
    recorder = Recorder(path, header(), lambda: loop.time() - began)
    reach = Reach(DirectNetwork(lambda: script.address), paths, recorder)
    try:
        yield Bench(script, recorder, reach, Waiter(recorder, lambda: False))
    finally:
        await reach.aclose()
        listener.close()
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
        recorder.close()
    assert not [one for one in done if isinstance(one, Exception)], done
