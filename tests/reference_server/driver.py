"""Drives the application in-process: ASGI calls and streams, no sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from reference_server.app import Running, create_app
from reference_server.settings import Settings

TIMEOUT_S = 5.0
TOKEN = "secret"
Scope = dict[str, Any]


def parse_frames(raw: bytes) -> list[dict[str, str]]:
    """Every complete block's fields; comments under the name ''."""
    text = raw.decode("utf-8", errors="replace")
    blocks = text.split("\n\n")[:-1]
    return [dict(_field(line) for line in block.split("\n")) for block in blocks]


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


@dataclass
class Answer:
    """A finished response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


@dataclass
class Stream:
    """A running GET /events."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def frames(self) -> list[dict[str, str]]:
        """Everything received so far."""
        return parse_frames(self.raw)

    @property
    def names(self) -> list[str]:
        """Event names without comments."""
        return [frame["event"] for frame in self.frames if "event" in frame]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Create, update and delete only: kind, cursor, data."""
        kinds = ("create", "update", "delete")
        return [
            {
                "kind": frame["event"],
                "cursor": frame.get("id"),
                **json.loads(frame["data"]),
            }
            for frame in self.frames
            if frame.get("event") in kinds
        ]

    @property
    def connection_id(self) -> str:
        """What the ping frame says."""
        pings = [frame for frame in self.frames if frame.get("event") == "ping"]
        return str(json.loads(pings[0]["data"])["id"])

    @property
    def seqs(self) -> list[int]:
        """Numbers of the events received."""
        return [int(event["cursor"].rpartition("-")[2]) for event in self.events]

    async def until(self, holds: Callable[[Self], bool], timeout_s: float = 5) -> Self:
        """Wait for a condition on what was received."""
        async with asyncio.timeout(timeout_s):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()
        return self

    async def events_within(self, count: int, timeout_s: float) -> list[dict[str, Any]]:
        """Up to `count` events, fewer when they do not come in time."""
        with suppress(TimeoutError):
            await self.until(lambda each: len(each.events) >= count, timeout_s)
        return self.events

    async def close(self) -> None:
        """The client goes away."""
        self.gone.set()
        assert self.task
        await asyncio.wait_for(asyncio.shield(self.task), TIMEOUT_S)

    async def receive(self) -> dict[str, Any]:
        """ASGI."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.raw += message["body"]
            self.ended = not message.get("more_body", False)
        self.changed.set()


class Driver:
    """A started application."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        self.running: Running = self.app.state.running

    def service(self, profile: str) -> Any:
        """The running profile, to look inside."""
        return self.running.services[profile]

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """One whole request; `body` bytes as they are, else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        try:
            await self.app(_scope(method, path, headers), receive, send)
        except Exception:
            if not messages:
                raise
        start, *chunks = messages
        return Answer(
            start["status"],
            {k.decode(): v.decode() for k, v in start["headers"]},
            b"".join(chunk["body"] for chunk in chunks),
        )

    async def post(self, text: str = "text", **fields: Any) -> Any:
        """A stored message."""
        answer = await self.call(
            "POST", "/broadcast/messages", {"author": "ann", "text": text, **fields}
        )
        assert answer.status == 201, answer
        return answer.json

    async def posts(self, count: int) -> None:
        """Many messages."""
        for number in range(count):
            await self.post(f"text {number}")

    async def init(self) -> Any:
        """The snapshot."""
        return (await self.call("GET", "/broadcast/init")).json

    async def ping(self, connection_id: str) -> int:
        """Status of a ping."""
        answer = await self.call("POST", f"/broadcast/ping?id={connection_id}")
        return answer.status

    async def open(self, cursor: str | None = None, query: str | None = None) -> Stream:
        """A stream, once it has sent its first block or ended."""
        path = "/broadcast/events" + (f"?lastEventId={query}" if query else "")
        headers = {"last-event-id": cursor} if cursor else {}
        return await self.stream(path, **headers)

    async def stream(self, path: str, **headers: str) -> Stream:
        """The same at any path."""
        stream = Stream()
        stream.task = asyncio.create_task(self._run(path, headers, stream))
        return await stream.until(lambda each: each.ended or bool(each.frames))

    def user(self, uid: str, profile: str = "private") -> "User":
        """Somebody with a personal chat."""
        return User(self, uid, profile)

    async def _run(self, path: str, headers: dict[str, str], stream: Stream) -> None:
        try:
            await self.app(
                _scope("GET", path, headers),
                stream.receive,
                stream.send,  # type: ignore[arg-type]
            )
        except Exception:
            if not stream.ended:
                raise


@dataclass
class User:
    """One uid of a personal profile; `post` goes through the operator, unlimited."""

    server: Driver
    uid: str
    profile: str

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """One request with the cookie."""
        cookie = {"cookie": f"uid={self.uid}"}
        path = f"/{self.profile}/{path}"
        return await self.server.call(method, path, body, **cookie, **headers)

    async def say(self, text: str = "text", **fields: Any) -> Answer:
        """The user writes."""
        body = {"author": self.uid, "text": text, **fields}
        return await self.call("POST", "messages", body)

    async def hear(self, text: str = "text", **fields: Any) -> Any:
        """An operator writes to the user."""
        answer = await self.server.call(
            "POST",
            f"/{self.profile}/operator/{self.uid}/messages",
            {"author": "operator", "text": text, **fields},
            authorization=f"Bearer {TOKEN}",
        )
        assert answer.status == 201, answer
        return answer.json

    async def hears(self, count: int) -> list[Any]:
        """Many times."""
        return [await self.hear(f"text {number}") for number in range(count)]

    async def edit(self, message_id: int, text: str = "new") -> Answer:
        """A new text."""
        return await self.call("PATCH", f"messages/{message_id}", {"text": text})

    async def delete(self, message_id: int) -> Answer:
        """A message goes."""
        return await self.call("DELETE", f"messages/{message_id}")

    async def history(self, before: int | None = None) -> Any:
        """A page."""
        query = "" if before is None else f"?before={before}"
        return (await self.call("GET", "history" + query)).json

    async def open(self, cursor: str | None = None) -> Stream:
        """A stream, once it has sent its first block or ended."""
        headers = {"last-event-id": cursor} if cursor else {}
        path = f"/{self.profile}/events"
        return await self.server.stream(path, cookie=f"uid={self.uid}", **headers)

    async def ping(self, connection_id: str) -> int:
        """Status of a ping."""
        return (await self.call("POST", f"ping?id={connection_id}")).status


def _scope(method: str, path: str, headers: dict[str, str]) -> Scope:
    url = urlsplit(path)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        "server": ("test", 80),
        "client": ("127.0.0.1", 1),
        "state": {},
    }


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Driver]:
    """A server over `folder`; a second one over the same folder is a restart."""
    defaults: dict[str, Any] = {
        "message_limit": 5,
        "event_log_limit": 12,
        "operator_token": TOKEN,
        "database": f"sqlite:///{folder}/chat.db",
    }
    driver = Driver(Settings(**(defaults | settings)))
    async with driver.app.router.lifespan_context(driver.app):
        yield driver
