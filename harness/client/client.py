"""The virtual client: a browser tab with the chat application in it.

Rules: docs/protocol.md section 6. The EventSource part keeps the URL that it was made
with and adds Last-Event-ID when it reconnects; the application part makes a new
EventSource after an answer that kills the old one, and starts anew after a reset. Where
events have no ids (profile naive) it throws its state away at every error and starts
anew, but does so once only: while the server is down it waits.
"""

import asyncio
import random
from contextlib import aclosing
from enum import StrEnum

import httpx
import msgspec
from httpx_sse import ServerSentEvent

from harness.client.calls import Calls, answer_json
from harness.client.pinger import Pinger
from harness.client.stream import Attempt
from harness.client.view import ChatView, text_of
from harness.core.recorder import Recorder
from harness.core.target import Paths

EVENTS = ("create", "update", "delete")
MAX_BACKOFF = 16
"""Most reconnection times between two tries to load a snapshot."""

MAX_RETRY_MS = 86_400_000


class Start(StrEnum):
    """In which order a client without state loads it (protocol section 6)."""

    SNAPSHOT_FIRST = "snapshot first, then the stream from its cursor"
    STREAM_FIRST = "stream first, buffered until the snapshot is there"


class _After(StrEnum):
    RESET = "reset"
    DEAD_SOURCE = "dead source"


class VirtualClient:
    """One tab: `name` in the history, `view` on the screen, `cursor` in its pocket.

    `live` tells that the stream is up (a ping frame was seen on the current
    connection) and the snapshot is loaded. `resets` counts resets obeyed, `clears` how
    often a client without cursors threw its state away. `gave_up` tells that the server
    sent more than a client can be asked to hold.
    """

    def __init__(
        self,
        *,
        name: str,
        http: httpx.AsyncClient,
        calls: Calls,
        paths: Paths,
        recorder: Recorder,
        rng: random.Random,
        retry_ms: int,
        limit: int,
        start: Start = Start.SNAPSHOT_FIRST,
        pings: bool = True,
        resumes: bool = True,
    ) -> None:
        self.name = name
        self.calls = calls
        self.view = ChatView(limit)
        self.cursor = ""
        self.resets = 0
        self.clears = 0
        self.gave_up = False
        self.attempt: Attempt | None = None
        self.connection_id = ""
        self._seen: set[tuple[str, str, str]] = set()
        self._http = http
        self._paths = paths
        self._recorder = recorder
        self._rng = rng
        self._retry_ms = retry_ms
        self._start = start if resumes else Start.STREAM_FIRST
        self._resumes = resumes
        self._cleared = False
        self._pinger = Pinger(calls, enabled=pings)
        self._pings = pings
        self._connected = False
        self._source_id = ""
        self._buffer: list[ServerSentEvent] | None = None
        self._switch = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._snapshot: asyncio.Task[None] | None = None
        self._runner: asyncio.Task[None] | None = None

    @property
    def uid(self) -> str:
        """Whose tab this is, in a personal profile."""
        return self.calls.uid

    @property
    def live(self) -> bool:
        """Whether the stream is up and the snapshot loaded."""
        return self._connected and self._buffer is None

    @property
    def running(self) -> bool:
        """Whether the tab is still open."""
        return self._runner is not None and not self._runner.done()

    def knows(self, event: str, message_id: object, text: str = "") -> bool:
        """Whether a write reached the tab: its event came, or a snapshot has it."""
        if (event, str(message_id), text) in self._seen:
            return True
        if not self.live:
            return False
        shown = self.view.text_of(message_id)
        return shown is None if event == "delete" else shown == text

    def open(self) -> None:
        """Open the tab; one that was closed goes on from its cursor."""
        self._runner = asyncio.create_task(self._run(), name=f"client {self.name}")

    def switch(self) -> None:
        """Leave the current connection hanging and make another attempt.

        As a browser does that notices a new network: nothing is closed, nothing is
        waited for, and no frame that still comes from the old connection counts.
        """
        self._connected = False
        self._switch.set()

    def mute(self) -> None:
        """Ping no more, as a tab that hangs; its stream stays open."""
        self._pinger.stop()

    def trouble(self) -> BaseException | None:
        """An exception of the harness that ended this client, if one did."""
        for task in (self._runner, self._snapshot, *self._tasks):
            if task is not None and task.done() and not task.cancelled():
                error = task.exception()
                if error is not None:
                    return error
        return None

    async def close(self) -> None:
        """Close the tab; its view stays readable."""
        self._pinger.stop()
        self._connected = False
        tasks = [t for t in (self._runner, self._snapshot, *self._tasks) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while not self.gave_up:
            after = await self._life_of_a_source()
            in_vain = after is not _After.RESET or self._reset_without_cursor()
            if after is _After.RESET:
                self._start_anew()
            if in_vain:
                await self._wait_retry()

    def _reset_without_cursor(self) -> bool:
        """Whether the attempt claimed nothing: one more at once would be a storm."""
        return (
            self.attempt is not None
            and self.attempt.header is None
            and self.attempt.query is None
        )

    def _start_anew(self) -> None:
        """Protocol section 6: on reset clear everything, open a new stream."""
        self.resets += 1
        self.view.clear()
        self.cursor = ""
        self._start = Start.STREAM_FIRST
        self._drop_snapshot()

    async def _life_of_a_source(self) -> _After:
        """One EventSource object: its URL stays, its last event id grows."""
        query = self.cursor or await self._cursor_of_snapshot()
        self._source_id = ""
        while True:
            if not query and not self._source_id:
                self._await_snapshot()
            after = await self._connect(
                header=self._source_id or None, query=query or None
            )
            if not self._resumes:
                self._clear_once()
            if after is not None:
                return after
            if not self._switch.is_set():
                await self._wait_retry()

    def _clear_once(self) -> None:
        """Protocol section 6: on an error clear, then wait without clearing again."""
        if not self._cleared and not self._switch.is_set():
            self._cleared = True
            self.clears += 1
            self.view.clear()
            self._drop_snapshot()

    async def _cursor_of_snapshot(self) -> str:
        """Load the snapshot before the stream; empty when it gives no cursor."""
        if self._start is Start.STREAM_FIRST:
            return ""
        self._await_snapshot()
        snapshot = await self._fetch_snapshot()
        cursor = snapshot.get("cursor")
        if not isinstance(cursor, str) or not cursor:
            return ""
        self.view.load(snapshot.get("messages"))
        self.cursor = cursor
        self._buffer = None
        return cursor

    async def _connect(self, *, header: str | None, query: str | None) -> _After | None:
        """One attempt, until it ends, is left hanging, or asks for a new source."""
        attempt = self.attempt = Attempt(
            recorder=self._recorder,
            who=self.name,
            header=header,
            query=query,
            pings=self._pings,
            uid=self.uid,
        )
        self._switch.clear()
        reading = asyncio.create_task(self._read(attempt), name=f"read {self.name}")
        switched = asyncio.create_task(self._switch.wait())
        try:
            await asyncio.wait((reading, switched), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        finally:
            switched.cancel()
        if not reading.done():
            self._tasks.append(asyncio.create_task(_keep(reading)))
            return None
        self._connected = False
        return reading.result()

    async def _read(self, attempt: Attempt) -> _After | None:
        async with aclosing(attempt.events(self._http, self._paths.events)) as events:
            async for event in events:
                if attempt is not self.attempt or self._switch.is_set():
                    continue  # left hanging: recorded, no longer ours
                if event.id and self._resumes:
                    self.cursor = self._source_id = event.id
                if event.retry is not None and event.retry >= 0:
                    self._retry_ms = min(event.retry, MAX_RETRY_MS)
                if event.data and self._dispatch(event):
                    return _After.RESET
        self.gave_up = self.gave_up or attempt.hopeless
        dead = attempt.refused_source or attempt.hopeless
        return _After.DEAD_SOURCE if dead else None

    def _dispatch(self, event: ServerSentEvent) -> bool:
        """Hand one event to the application; True for a reset."""
        if event.event == "reset":
            self._connected = False
            return True
        if event.event == "ping":
            self._on_ping(event)
        elif event.event in EVENTS:
            self._on_event(event)
        return False

    def _on_ping(self, event: ServerSentEvent) -> None:
        self._connected = True
        self._cleared = False
        self.connection_id = self._pinger.restart(_json(event.data))
        if self._buffer is not None and self._snapshot is None:
            self._snapshot = asyncio.create_task(
                self._load_snapshot(), name=f"snapshot {self.name}"
            )

    def _on_event(self, event: ServerSentEvent) -> None:
        if self._buffer is not None:
            self._buffer.append(event)
        else:
            self._apply(event)

    def _apply(self, event: ServerSentEvent) -> None:
        data = _json(event.data)
        self.view.apply(event.event, data)
        if isinstance(data, dict):
            key = (event.event, str(data.get("id")), text_of(data.get("value")))
            self._seen.add(key)
        self._recorder.on_add()

    async def _fetch_snapshot(self) -> dict[str, object]:
        """Ask until there is a snapshot, less and less often."""
        failures = 0
        while True:
            answered = await self.calls.init()
            snapshot = answer_json(answered)
            if isinstance(snapshot, dict):
                return snapshot
            if answered.answer is not None and answered.answer.truncated:
                self.gave_up = True
                self._recorder.on_add()
            await self._wait_retry(times=min(2**failures, MAX_BACKOFF))
            failures = min(failures + 1, MAX_BACKOFF)

    async def _load_snapshot(self) -> None:
        snapshot = await self._fetch_snapshot()
        self.view.load(snapshot.get("messages"))
        buffered, self._buffer = self._buffer or [], None
        for event in buffered:
            self._apply(event)
        self._snapshot = None
        self._recorder.on_add()

    def _await_snapshot(self) -> None:
        """A stream without a cursor says nothing of the past: load it afresh."""
        self._drop_snapshot()
        self._buffer = []

    def _drop_snapshot(self) -> None:
        if self._snapshot is not None:
            self._snapshot.cancel()
            self._snapshot = None

    async def _wait_retry(self, *, times: int = 1) -> None:
        """Reconnection time with jitter: between half and one and a half times."""
        jitter = self._rng.uniform(0.5, 1.5)
        await asyncio.sleep(times * self._retry_ms / 1_000 * jitter)


async def _keep(reading: "asyncio.Task[_After | None]") -> None:
    """Let an abandoned connection be recorded until the tab closes."""
    try:
        await asyncio.shield(reading)
    except asyncio.CancelledError:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        raise


def _json(data: str) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
