"""A participant's way to the server, with its faults: the same rules on every arm.

What a fault does to one connection is the arm's business (`Passage`); which
connections it takes hold of, and what healing means for them, is decided here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import httpcore

from harness.client.transport import Dial, DialBackend
from harness.core.errors import HarnessError
from harness.core.fault import (
    LOSSLESS,
    REFUSING,
    SWALLOWING,
    Close,
    Fault,
    FaultKind,
    When,
)


class Passage(Protocol):
    """One connection on its way through the faults; `purpose` as in `FaultyLink`."""

    purpose: str
    faults: list[Fault]

    async def poison(self, fault: Fault) -> None:
        """Begin a fault on it."""

    async def cure(self, fault: Fault) -> None:
        """End one that lost nothing."""

    async def limit(self, after_bytes: int) -> None:
        """Cut it after so many more bytes towards the client."""

    async def end(self) -> None:
        """Cut it now, as the link's `close` says; a second time does nothing."""

    async def connect(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        """The client's socket; raises httpcore's errors."""


class Prepare(Protocol):
    """Makes the passage of a new connection, with its faults from birth."""

    async def __call__(
        self, purpose: str, faults: list[Fault], *, cut_after: int
    ) -> Passage: ...


class FaultyLink:
    """Its faults hold for connections that are open and, where they last, for new ones.

    `streams` and `calls` are the purposes of connections. One change at a time: a
    connection that is being made when a fault begins either has it from birth or gets
    it after.
    """

    def __init__(self, prepare: Prepare, close: Close) -> None:
        self._prepare = prepare
        self._close = close
        self._lasting: list[Fault] = []
        self._next_cut = 0
        self._open: list[Passage] = []
        self._change = asyncio.Lock()
        self.streams = DialBackend(lambda timeout: self._connect("streams", timeout))
        self.calls = DialBackend(lambda timeout: self._connect("calls", timeout))

    async def apply(self, fault: Fault) -> None:
        """Begin a fault on this link."""
        async with self._change:
            if fault.kind is FaultKind.CUT:
                await self._cut(fault)
                return
            if fault.kind is not FaultKind.BLACK_HOLE:
                self._lasting.append(fault)
            await _each(self._poison(one, fault) for one in self._hit_by(fault))

    async def heal(self, fault: Fault) -> None:
        """End a fault; connections that lost bytes end with it."""
        async with self._change:
            if fault in self._lasting:
                self._lasting.remove(fault)
            hit = [one for one in self._open if fault in one.faults]
            if fault.kind in LOSSLESS:
                await _each(self._cure(one, fault) for one in hit)
            elif fault.kind in SWALLOWING:
                await _each(self._end(one) for one in hit)

    async def aclose(self) -> None:
        """End every connection of this link."""
        await _each(self._end(one) for one in list(self._open))

    async def _connect(
        self, purpose: str, timeout: float | None
    ) -> httpcore.AsyncNetworkStream:
        async with self._change:
            faults = [one for one in self._lasting if _concerns(one, purpose)]
            cut_after = self._take_next_cut() if purpose == "streams" else 0
            passage = await self._prepare(purpose, faults, cut_after=cut_after)
            self._open.append(passage)
        try:
            stream = await passage.connect(timeout)
        except BaseException:
            await self._end(passage)
            raise
        return ClosingStream(stream, lambda: self._end(passage))

    def _take_next_cut(self) -> int:
        after, self._next_cut = self._next_cut, 0
        return after

    async def _cut(self, fault: Fault) -> None:
        if fault.close is not self._close:
            raise HarnessError(
                f"{fault.says()}: this client was opened to be cut by {self._close}; "
                f"open it with close=Close.{fault.close.name}"
            )
        if fault.when is When.NEXT:
            self._next_cut = fault.after_bytes
            return
        streams = [one for one in self._open if one.purpose == "streams"]
        if not streams:
            return
        if fault.after_bytes:
            await streams[-1].limit(fault.after_bytes)
        else:
            await self._end(streams[-1])

    def _hit_by(self, fault: Fault) -> list[Passage]:
        return [one for one in self._open if _concerns(fault, one.purpose)]

    async def _poison(self, passage: Passage, fault: Fault) -> None:
        passage.faults.append(fault)
        await passage.poison(fault)

    async def _cure(self, passage: Passage, fault: Fault) -> None:
        passage.faults.remove(fault)
        await passage.cure(fault)

    async def _end(self, passage: Passage) -> None:
        if passage in self._open:
            self._open.remove(passage)
            await passage.end()


class DirectLink:
    """No faults: the witness's and the writers' way."""

    def __init__(self, dial: Dial) -> None:
        self.streams = self.calls = DialBackend(dial)

    async def apply(self, fault: Fault) -> None:
        """A direct link takes no fault."""
        raise AssertionError(f"{fault.says()} was ordered for a direct link")

    async def heal(self, fault: Fault) -> None:
        """Nothing to heal."""

    async def aclose(self) -> None:
        """Its sockets belong to their pools."""


class ClosingStream(httpcore.AsyncNetworkStream):
    """A socket that says when it is closed."""

    def __init__(
        self,
        inner: httpcore.AsyncNetworkStream,
        on_close: Callable[[], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._on_close = on_close

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes` bytes; b"" at the end."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the socket, then tell."""
        try:
            await self._inner.aclose()
        finally:
            await self._on_close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a socket, such as `is_readable`."""
        return self._inner.get_extra_info(info)


async def _each(steps: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*steps)


def _concerns(fault: Fault, purpose: str) -> bool:
    """Lost acknowledgements are of calls, partitions and refusals of everything."""
    if fault.kind in REFUSING:
        return True
    return (purpose == "calls") == (fault.kind is FaultKind.LOST_ACK)
