"""The index of one history: everything that rules look things up in, built once."""

from functools import cached_property
from math import inf

from harness.checkers.base import Idents
from harness.checkers.behind import Middleboxes
from harness.checkers.calls import Call, Calls, Snapshot
from harness.checkers.connections import Conn, Sight, read_connections
from harness.checkers.cursors import Cursors
from harness.checkers.faults import AROUND_S, Faults
from harness.checkers.kinds import Kinds
from harness.checkers.lives import Lives
from harness.checkers.matching import Matching
from harness.checkers.model import build_models
from harness.checkers.order import Order
from harness.checkers.returns import Return, read_returns
from harness.checkers.shown import LifeModel
from harness.checkers.shown import Look as SnapshotLook
from harness.checkers.sse import Block
from harness.checkers.ties import untied
from harness.core.history import WITNESS, End, F, History, View, is_witness
from harness.core.profile import WINDOWED, Profile

ALLOWANCE_S = 0.05
"""Timers and pipes are this coarse even where the harness was not late."""


PAGE = 200
"""Section 3: personal chats show "last 200 messages of this uid"."""


class Case:
    """The history of one channel, indexed; `uid` is whose, "" where it is everybody's.

    An era is one order of events with its cursors: a server's life, or all lives on the
    same data where cursors outlive them (profile log).
    """

    def __init__(self, history: History, *, uid: str = "") -> None:
        history = self.history = untied(history)
        self.uid = uid
        self.header = history.header
        self.profile = Profile(history.header.profile)
        self.limits = history.header.limits
        self.tolerances = history.header.tolerances
        self.settle_s = self.tolerances.settle_ms / 1000
        limits = self.limits
        self.silence_s = (limits.ping_interval_ms + limits.ping_grace_ms) / 1000
        self.end_s = history.records[-1].t_s if history.records else 0.0
        kinds = self.kinds = Kinds(history)
        self.calls = Calls(kinds)
        self.faults = Faults(kinds, self.calls.by_f[F.FAULT])
        self.lives = Lives(kinds, self.faults.falls)
        self.eras = self.lives.eras(joined=self.profile is Profile.LOG)
        self.views = kinds.of(View)
        self.complete = bool(history.records) and isinstance(history.records[-1], End)
        self.idents = Idents()
        self.idents.learn(self.calls.writes)
        self._told_on: dict[int, frozenset[Call]] = {}
        self._connections()
        self._place_calls()
        self._orders()
        self.cursors = Cursors(
            self.by_who, self.calls.snapshots, self.orders, self.sighted
        )

    def _connections(self) -> None:
        self.conns = read_connections(self.kinds, self.end_s)
        self.by_who: dict[str, list[Conn]] = {}
        for conn in self.conns:
            self.by_who.setdefault(conn.who, []).append(conn)
        self.faults.hold(self.by_who)
        self.middleboxes = Middleboxes(self.kinds, self.faults)
        self.middleboxes.hold(self.conns)
        for conn in self.conns:
            seen = conn.responded or (conn.sights[0].frame if conn.sights else None)
            conn.life = self.lives.at(conn.opened.t_s, seen.t_s if seen else None)
            conn.era = self._era_of(conn)
        witnesses = [who for who in self.by_who if is_witness(who)]
        self.witness = witnesses[0] if witnesses else WITNESS

    def _era_of(self, conn: Conn) -> int | None:
        """Where all lives are of one era, it does not matter in which one it was."""
        if conn.life is not None:
            return self.eras[conn.life].number
        only = {era.number for era in self.eras.values()}
        joined = self.profile is Profile.LOG and len(only) == 1
        return only.pop() if joined else None

    def _place_calls(self) -> None:
        for call in self.calls.all.values():
            call.lives = self.lives.possible(call.invoke.t_s, call.done_s)
            call.life = call.lives[0] if len(call.lives) == 1 else None
            eras = (self.eras[life].number for life in call.lives)
            call.eras = list(dict.fromkeys(eras))
            call.era = call.eras[0] if len(call.eras) == 1 else None

    def _orders(self) -> None:
        self.matching = Matching(self.calls.writes)
        witness = self.by_who.get(self.witness, [])
        self.orders = {
            era.number: Order(
                era.number, [c for c in witness if c.era == era.number], self.matching
            )
            for era in self.eras.values()
        }
        first_seen: dict[int, dict[Block, float]] = {n: {} for n in self.orders}
        for conn in self.conns:
            if conn.era is not None and conn.era in self.orders:
                self._sight(conn, self.orders[conn.era], first_seen[conn.era])
        for number, order in self.orders.items():
            order.close(first_seen[number], self.calls.writes)
        self.sighted = first_seen

    def _sight(self, conn: Conn, order: Order, seen: dict[Block, float]) -> None:
        life, places = order.life, conn.places
        for sight in conn.events:
            block = sight.block
            found = block.places
            places.append(found[life] if life in found else order.place(block))
            t_s = sight.frame.t_s
            if seen.get(block, inf) > t_s:
                seen[block] = t_s

    def order_of(self, conn: Conn) -> Order | None:
        """The commit order that a connection belongs to; None when unsure."""
        return self.orders.get(conn.era) if conn.era is not None else None

    def order_in(self, life: int) -> Order:
        """The commit order that a life belongs to."""
        return self.orders[self.eras[life].number]

    @property
    def shown_limit(self) -> int:
        """How many messages a snapshot shows at most."""
        return self.limits.message_limit if self.profile in WINDOWED else PAGE

    @cached_property
    def returns(self) -> list[Return]:
        """Every connection that came with a cursor."""
        return read_returns(self)

    @cached_property
    def _returned(self) -> dict[int, Return]:
        return {found.conn.number: found for found in self.returns}

    @cached_property
    def models(self) -> dict[int, LifeModel]:
        """The chat of each era, held against every look at it."""
        return build_models(self)

    @cached_property
    def told(self) -> set[Call]:
        """The writes that an event was seen of, by anybody."""
        matching = self.matching
        found = (
            matching.write_of(block, life)
            for life, seen in self.sighted.items()
            for block in seen
        )
        return {call for call in found if call is not None}

    @cached_property
    def looks(self) -> dict[Call, SnapshotLook]:
        """Every snapshot whose era is known, against the model."""
        found = (look for model in self.models.values() for look in model.looks)
        return {look.snapshot.call: look for look in found}

    def return_of(self, conn: Conn) -> Return | None:
        """What a connection came back with; None for one without a cursor."""
        return self._returned.get(conn.number)

    def undisturbed(self, conn: Conn, from_s: float, to_s: float) -> bool:
        """Whether neither a fault nor the server's end explains what happened."""
        return conn.calm(from_s, to_s) and self.lives.up(from_s, to_s)

    def slack_s(self, from_s: float, to_s: float, around_s: float = AROUND_S) -> float:
        """By how much the harness may have been late in a span of time."""
        return self.faults.lag(from_s, to_s, around_s)

    def told_on(self, conn: Conn) -> frozenset[Call]:
        """The writes that a connection delivered events of."""
        if conn.number not in self._told_on:
            found = (self.write_of(sight, conn) for sight in conn.events)
            told = frozenset(call for call in found if call is not None)
            self._told_on[conn.number] = told
        return self._told_on[conn.number]

    def write_of(self, sight: Sight, conn: Conn) -> Call | None:
        """The write that a delivered event tells of."""
        return self.matching.write_of(sight.block, conn.era or 0)

    def snapshots_in(self, life: int) -> list[Snapshot]:
        """The snapshots that surely came from one life."""
        return [s for s in self.calls.snapshots if s.call.life == life]

    def snapshots_of(self, era: int) -> list[Snapshot]:
        """The snapshots that surely came from one era."""
        return [s for s in self.calls.snapshots if s.call.era == era]
