"""One cell's stage: a client of its own, its writes, its faults, what it recorded.

Faults go straight to the client's link: a world's own `during` asks for a client that
is live, which one that still connects is not.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from harness.client.client import VirtualClient
from harness.core.fault import Close, Fault, cut, refuse
from harness.core.history import WITNESS, AnyRecord, Closed, CloseKind, Frame, Opened
from harness.effects import observed
from harness.link import FaultyLink
from harness.sent import Sent
from harness.world import World
from tests.parity.seen import labels_of

ROUND_TRIPS = 3
"""Requests through proxy and server after which an earlier one surely was read."""


class Stage:
    """`name` is the cell's and its client's; messages are labelled w0, w1, ..."""

    def __init__(self, world: World, name: str, *, close: Close, pings: bool) -> None:
        self.world = world
        self.name = name
        self.close = close
        self.held_back: tuple[str, ...] = ()
        self.bit = False
        self._pings = pings
        self._written = 0
        self._client: VirtualClient | None = None

    @property
    def client(self) -> VirtualClient:
        """The cell's client, once `open` was called."""
        assert self._client is not None
        return self._client

    @property
    def link(self) -> FaultyLink:
        """Its way to the server."""
        link = self.world._reach.links[self.name]
        assert isinstance(link, FaultyLink)
        return link

    @property
    def records(self) -> list[AnyRecord]:
        """Everything recorded so far, of everybody."""
        return self.world._recorder.records

    # ---- writing ---------------------------------------------------------------------

    async def open(self) -> None:
        """Open the tab on one message, and show it a second."""
        await self.world.seen(await self.write(), self.world.witness)
        self._client = await self.world.client(
            self.name, close=self.close, pings=self._pings
        )
        await self.shown(await self.write())

    async def write(self, size: int = 0, *, by: VirtualClient | str = "writer") -> Sent:
        """The next message of this cell; `size` letters make it long."""
        text = f"{self.name} w{self._written} {'x' * size}"
        self._written += 1
        return await self.world.write(text, by=by)

    async def shown(self, sent: Sent) -> None:
        """Wait until the client has it."""
        await self.world.seen(sent, self.client)

    async def witnessed(self) -> None:
        """Write what the client is not to see yet, and give it time to come wrongly."""
        await self.world.seen(await self.write(), self.world.witness)
        await self.world.passes(0.1)
        await self.world.snapshot()  # a record from after that time

    async def round_trips(self) -> None:
        """Go through proxy and server, so that what was sent before is read."""
        for _ in range(ROUND_TRIPS):
            await self.client.calls.init()

    async def finish(self) -> None:
        """All is healed: one more message reaches the client, then its tab closes."""
        await self.world.live(self.client)
        await self.shown(await self.write())

    # ---- faults ----------------------------------------------------------------------

    @asynccontextmanager
    async def under(self, fault: Fault) -> AsyncIterator[None]:
        """Keep a fault up around a block, and note its effect and what it held back."""
        since = len(self.records)
        await self.link.apply(fault)
        try:
            yield
            self.note_effect(fault, since)
            theirs = labels_of(self.records, self.name, WITNESS)
            mine = ("w0", *labels_of(self.records, self.name, self.name))
            self.held_back = tuple(one for one in theirs if one not in mine)
        finally:
            await self.link.heal(fault)

    def note_effect(self, fault: Fault, since: int) -> None:
        """Whether the harness would say that this fault was seen to bite."""
        self.bit = bool(observed(fault, self.records, since))

    async def cut(self, fault: Fault | None = None) -> None:
        """Cut the stream, and see it closed."""
        tries = self.ended()
        await self.link.apply(fault or cut(self.client, close=self.close))
        await self.until(lambda: self.ended() > tries, "the stream is cut")

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Keep the client without a connection: cut, then refused."""
        refusal = refuse(self.client)
        await self.link.apply(refusal)
        try:
            await self.cut()
            await self.refused()
            yield
        finally:
            await self.link.heal(refusal)

    # ---- what was seen ---------------------------------------------------------------

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition on what was recorded."""
        await self.world.until(condition, f"{self.name}: {what}")

    async def refused(self) -> None:
        """Wait until it is refused a connection from now on."""
        seen = self.closes(CloseKind.REFUSED)
        await self.until(
            lambda: self.closes(CloseKind.REFUSED) > seen, "a connection is refused"
        )

    async def hung_up(self) -> None:
        """Wait until it is hung up on by a proxy with nobody behind it."""
        seen = self.cuts()
        await self.until(lambda: self.cuts() > seen, "it is hung up on")

    async def dialled(self) -> None:
        """Wait until a connection for a stream is open, and its request on its way."""
        await self.until(
            lambda: any(one.purpose == "streams" for one in self.link._open),
            "a connection is made",
        )
        await self.world.passes(0.1)

    def ended(self) -> int:
        """How many of its tries have ended."""
        return self.closes(*CloseKind)

    def closes(self, *kinds: CloseKind) -> int:
        """How many of its tries have ended in one of these ways."""
        mine = self._mine()
        return sum(
            1
            for one in self.records
            if isinstance(one, Closed) and one.conn in mine and one.kind in kinds
        )

    def cuts(self) -> int:
        """How many of its tries were cut."""
        return self.closes(CloseKind.FIN, CloseKind.RST)

    def conn(self) -> int:
        """Its newest connection."""
        return max(self._mine())

    def frames(self) -> list[str]:
        """Frames of its newest connection."""
        newest = self.conn()
        return [
            one.text
            for one in self.records
            if isinstance(one, Frame) and one.conn == newest
        ]

    def inside_a_frame(self) -> bool:
        """Whether part of an event's frame has come."""
        attempt = self.client.attempt
        tail = b"" if attempt is None else attempt._splitter.tail
        return tail.startswith(b"event: create")

    def _mine(self) -> set[int]:
        return {
            one.conn
            for one in self.records
            if isinstance(one, Opened) and one.who == self.name
        }
