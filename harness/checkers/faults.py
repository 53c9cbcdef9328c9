"""Faults as spans of time, and which connections each had hold of."""

from dataclasses import dataclass
from math import inf

from harness.checkers.calls import Call
from harness.checkers.connections import Conn, cut_after
from harness.checkers.kinds import Kinds
from harness.core.fault import BARRING, OF_STORAGE, REPLACING, Fault, FaultKind, When
from harness.core.history import Hold, Lag, Life, LifePhase

HANDOVER_S = 1.0
"""A middlebox that is told to reload may give the old part a stream for so long."""

HEAL_S = 0.5
"""Bytes held back by a fault may still come this long after it was healed."""

AROUND_S = 1.0
"""A machine that starves the harness so long before or after starves the target now."""

DEADLY = frozenset((FaultKind.TERM, FaultKind.KILL))
LOSSY = frozenset((FaultKind.BLACK_HOLE, FaultKind.PARTITION))
NOT_OF_STREAMS = frozenset((*DEADLY, *OF_STORAGE, FaultKind.PAUSE, FaultKind.LOST_ACK))


@dataclass(slots=True)
class FaultSpan:
    """One fault from its Invoke to its completion, healed or not.

    One of the storage surely held from `held_s` to `loose_s`.
    """

    call: Call
    fault: Fault
    from_s: float
    to_s: float
    held_s: float = inf
    loose_s: float = inf

    def on(self, who: str) -> bool:
        """Whether this client is among the victims; nobody named means all."""
        return not self.fault.whom or who in self.fault.whom


class Faults:
    """All faults of a case, and the times in which the harness itself was late."""

    def __init__(self, kinds: Kinds, calls: list[Call]) -> None:
        self.spans = [
            FaultSpan(call, call.invoke.fault, call.invoke.t_s, call.done_s)
            for call in calls
            if call.invoke.fault is not None
        ]
        self._hold_storage(kinds)
        self.falls = [s.from_s for s in self.spans if s.fault.kind in DEADLY]
        self.pauses = [
            (s.from_s, s.to_s + HEAL_S)
            for s in self.spans
            if s.fault.kind is FaultKind.PAUSE
        ] + _pauses(kinds)
        self.lags = [(record.t_s, record.lag_s) for record in kinds.of(Lag)]

    def _hold_storage(self, kinds: Kinds) -> None:
        by_call = {span.call.n: span for span in self.spans}
        for record in kinds.of(Hold):
            span = by_call.get(record.call)
            if span is not None and record.ends:
                span.loose_s = min(span.loose_s, record.t_s)
            elif span is not None:
                span.held_s = min(span.held_s, record.t_s)

    @property
    def barred(self) -> list[FaultSpan]:
        """Spans in which no write that began could be committed, seen to bite."""
        return [
            span
            for span in self.spans
            if span.fault.kind in BARRING and span.call.ok and span.held_s < inf
        ]

    def stores(self, from_s: float, to_s: float) -> bool:
        """Whether no fault of the storage came between two times."""
        return not any(
            span.from_s <= to_s and from_s <= span.to_s + HEAL_S
            for span in self.spans
            if span.fault.kind in OF_STORAGE
        )

    def running(self, from_s: float, to_s: float) -> bool:
        """Whether the server was not held still between two times."""
        return all(to_s < a or from_s > b for a, b in self.pauses)

    def quiet(
        self, who: str, from_s: float, to_s: float, *, storage: bool = True
    ) -> bool:
        """Whether the calls of a client were out of every fault's reach.

        Without `storage` the faults of the database do not count.
        """
        if not self.running(from_s, to_s):
            return False
        return not any(
            span.on(who) and span.from_s <= to_s and from_s <= span.to_s + HEAL_S
            for span in self.spans
            if span.fault.kind not in DEADLY
            and (storage or span.fault.kind not in OF_STORAGE)
        )

    def lag(self, from_s: float, to_s: float, around_s: float = AROUND_S) -> float:
        """How late target and harness may have been in a span of time, and around it.

        Every lag of the harness's loop counts, twice: on a machine that starves the
        harness so often, the target's timers starve as well, and not always at the
        same moment; so the worst lag of the case is added.
        """
        near = [
            lag
            for t_s, lag in self.lags
            if from_s - around_s <= t_s <= to_s + lag + around_s
        ]
        worst = max((lag for _, lag in self.lags), default=0.0)
        return 2 * sum(near) + worst

    def hold(self, by_who: dict[str, list[Conn]]) -> None:
        """Write into each connection which spans of time a fault had hold of it."""
        for conns in by_who.values():
            for conn in conns:
                conn.holds.extend(self.pauses)
        for span in self.spans:
            for who in span.fault.whom or tuple(by_who):
                for conn in by_who.get(who, ()):
                    if conn.opened.t_s <= span.to_s and span.from_s <= conn.end_s:
                        _hold(span, conn)
                if span.fault.kind is FaultKind.CUT and span.fault.when is When.NEXT:
                    _hold_next(span, by_who.get(who, ()))


def _pauses(kinds: Kinds) -> list[tuple[float, float]]:
    pauses: list[tuple[float, float]] = []
    for record in kinds.of(Life):
        if record.phase is LifePhase.PAUSED:
            pauses.append((record.t_s, inf))
        elif record.phase is LifePhase.RESUMED and pauses:
            pauses[-1] = (pauses[-1][0], record.t_s + HEAL_S)
    return pauses


def _hold(span: FaultSpan, conn: Conn) -> None:
    kind, begun = span.fault.kind, max(span.from_s, conn.opened.t_s)
    if kind is FaultKind.CUT:
        if span.fault.when is When.NOW and conn.opened.t_s <= span.from_s:
            conn.holds.append((span.from_s, inf))
    elif kind in REPLACING and conn.opened.t_s <= span.from_s + HANDOVER_S:
        conn.holds.append((span.from_s, inf))
    elif kind is FaultKind.BLACK_HOLE and span.from_s < conn.opened.t_s:
        return
    elif kind in LOSSY:
        conn.holds.append((begun, inf))
        cut_after(conn, span.to_s)
    elif kind is FaultKind.REFUSE:
        if conn.opened.t_s >= span.from_s:
            conn.holds.append((begun, inf))
    elif kind not in NOT_OF_STREAMS:
        healed = span.to_s + span.fault.delay_ms / 1000 + HEAL_S
        conn.holds.append((span.from_s, healed))


def _hold_next(span: FaultSpan, conns: "tuple[()] | list[Conn]") -> None:
    for conn in conns:
        if conn.opened.t_s >= span.from_s:
            conn.holds.append((conn.opened.t_s, inf))
            return
