"""The clients of a random case: who can be harmed now, and who has to come back first.

A fault whose effect nobody can see makes a case "could not run", so a fault is only
laid on a client that hears: on line, on a connection that is not doomed already.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.client.client import Start, VirtualClient
from harness.core.fault import Close, FaultKind
from harness.core.profile import PERSONAL, USER
from harness.core.steps import Begins, Tab
from harness.world import World

DEAF = frozenset(
    (
        FaultKind.STALL,
        FaultKind.BLACK_HOLE,
        FaultKind.PARTITION,
        FaultKind.LOST_ACK,
        FaultKind.SLOW_CLOSE,
    )
)
"""Who is under one of these would not show the effect of another."""

DOOMING = frozenset((FaultKind.BLACK_HOLE, FaultKind.PARTITION))
"""Connections that lost bytes end when these are healed."""

MUTE = frozenset((FaultKind.PARTITION, FaultKind.LOST_ACK))
"""Calls under these are not answered, which takes their whole time limit."""

SETTLED_S = 0.05
"""A reset follows the ping frame at once: who has just come may have to go again."""

SLOWLY_S = 0.3
"""The same on a line where a frame takes its time."""

SLOW = frozenset((FaultKind.BANDWIDTH, FaultKind.SLICE))
"""Two of these on one client, and a replay takes longer than anybody waits."""

ROUNDS = 4

_START = {
    Begins.SNAPSHOT: Start.SNAPSHOT_FIRST,
    Begins.STREAM: Start.STREAM_FIRST,
}


class Cast:
    """Every tab that was opened, the faults that hold it, its doomed connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tabs: dict[str, Tab] = {}
        self._held: dict[str, list[FaultKind]] = {}
        self._doomed: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._ids: dict[str, list[str]] = {}

    async def open(self, tab: Tab) -> None:
        """Open a tab and wait until it is live; nothing when its name is taken."""
        if tab.name in self._tabs:
            return
        self._tabs[tab.name] = tab
        self._held[tab.name] = []
        await self._world.client(
            tab.name,
            uid=tab.user,
            start=_START[tab.begins],
            pings=tab.pings,
            close=tab.close,
        )

    def find(self, name: str) -> VirtualClient | None:
        """A tab that is open."""
        return self._world.clients.get(name) if name in self._tabs else None

    def close_of(self, client: VirtualClient) -> Close:
        """How this client's cuts show."""
        return self._tabs[client.name].close

    def users(self, clients: Sequence[VirtualClient]) -> list[str]:
        """Who has a chat that one of these shows; where all have one, it is one."""
        if self._world.profile not in PERSONAL:
            return [USER]
        users = [self._tabs[client.name].user for client in clients]
        return list(dict.fromkeys(users)) or [USER]

    def by_close(
        self, clients: Sequence[VirtualClient]
    ) -> list[tuple[Close, list[VirtualClient]]]:
        """The clients grouped by how their cuts show: one fault has one kind."""
        groups = [(k, [c for c in clients if self.close_of(c) is k]) for k in Close]
        return [(kind, group) for kind, group in groups if group]

    def pinging(self) -> list[VirtualClient]:
        """Every client that keeps to the ping contract, in order of opening."""
        clients = self._world.clients
        return [clients[t.name] for t in self._tabs.values() if t.pings]

    def mute(self, name: str) -> bool:
        """Whether this client's calls hang."""
        return any(kind in MUTE for kind in self._held.get(name, ()))

    def hears(self, client: VirtualClient) -> bool:
        """Whether it is live on a connection of which nothing bad is known."""
        attempt = client.attempt
        return (
            client.live
            and attempt is not None
            and attempt.kind is None
            and attempt.conn != self._doomed.get(client.name)
        )

    async def ready(
        self, names: Sequence[str], fault: FaultKind = FaultKind.CUT
    ) -> list[VirtualClient]:
        """Those that this fault can be laid on, after waiting for them to come back."""
        able = [c for name in names if (c := self._able(name, fault)) is not None]
        said = ", ".join(client.name for client in able)
        for _ in range(ROUNDS):
            await self._world.until(
                lambda: all(self.hears(client) for client in able), f"{said} back"
            )
            if self._all_settled(able):
                return able
            slow = any(k in SLOW for c in able for k in self._held[c.name])
            await self._world.passes(SLOWLY_S if slow else SETTLED_S)
        return able

    def _all_settled(self, clients: Sequence[VirtualClient]) -> bool:
        """Whether they are on the connections that the last look has seen."""
        conns = {c.name: c.attempt.conn for c in clients if c.attempt is not None}
        settled = all(self._settled.get(name) == conn for name, conn in conns.items())
        self._settled.update(conns)
        return settled

    def _able(self, name: str, fault: FaultKind) -> VirtualClient | None:
        client, held = self.find(name), self._held.get(name, [])
        if client is None or not self._tabs[name].pings:
            return None
        if fault in held or any(_clash(fault, kind) for kind in held):
            return None
        cut_off = self.turned_away(name) and not self.hears(client)
        return None if cut_off else client

    def turned_away(self, name: str) -> bool:
        """Whether this client's new connections are refused."""
        return FaultKind.REFUSE in self._held.get(name, ())

    @contextmanager
    def holding(
        self, fault: FaultKind, clients: Sequence[VirtualClient]
    ) -> Iterator[None]:
        """Remember a fault around a block, and whose connections it dooms."""
        hit = [client.attempt for client in clients]
        for client in clients:
            self._held[client.name].append(fault)
        try:
            yield
        finally:
            for client, attempt in zip(clients, hit, strict=True):
                self._held[client.name].remove(fault)
                if fault in DOOMING and attempt is not None:
                    self._doomed[client.name] = attempt.conn

    def server_ends(self) -> None:
        """No connection of now outlives the server, whatever its client believes."""
        for name in self._tabs:
            client = self._world.clients[name]
            if client.attempt is not None and client.attempt.status is not None:
                self._doomed[name] = client.attempt.conn
        self._ids.clear()

    def note_connections(self) -> None:
        """Remember by which id each tab's connection goes, for pings by hand."""
        for name in self._tabs:
            known, now = self._ids.setdefault(name, []), self._world.clients[name]
            if now.connection_id and now.connection_id not in known:
                known.append(now.connection_id)

    @property
    def closed_id(self) -> str:
        """The oldest connection of this life that its tab has another for, or ""."""
        return next((ids[0] for ids in self._ids.values() if len(ids) > 1), "")


def _clash(fault: FaultKind, held: FaultKind) -> bool:
    """Whether a fault would show no effect, or too late, on who is held by another."""
    refused = fault is FaultKind.LOST_ACK and held is FaultKind.REFUSE
    return refused or held in DEAF or (fault in SLOW and held in SLOW)
