"""Did a fault bite? Answered from what the clients and the witness recorded.

A fault counts from the moment its effect is observed (docs/protocol.md section 7). Each
function looks at the records since the fault began and gives a phrase that tells the
effect, or "" while there is none.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import inf

from harness.core.fault import Close, Fault, FaultKind
from harness.core.history import (
    AnyRecord,
    Behind,
    Closed,
    CloseKind,
    F,
    Fail,
    Frame,
    Hold,
    Info,
    Invoke,
    Life,
    LifePhase,
    Ok,
    Opened,
    is_witness,
)
from harness.event import Event, event_of

WRITES = (F.CREATE, F.UPDATE, F.DELETE)

MARGIN_S = 0.02
"""Bytes seen by the witness this soon may still have been on their way."""


class Evidence:
    """The records of a case, as they grow, and whose connection each belongs to."""

    def __init__(self, records: Sequence[AnyRecord], fault: Fault, since: int) -> None:
        self.fault = fault
        self.records = records
        self.since = since
        self.owner: dict[int, str] = {}
        self.uid: dict[int, str] = {}
        self._read = 0

    def effect(self) -> str:
        """What was observed by now, "" if nothing; asked at every record."""
        for record in self.records[self._read :]:
            if isinstance(record, Opened):
                self.owner[record.conn] = record.who
                self.uid[record.conn] = record.uid
        self._read = len(self.records)
        return _EFFECTS[self.fault.kind](self)

    def after(self) -> Iterator[AnyRecord]:
        """Records since the fault began."""
        return iter(self.records[self.since :])

    @cached_property
    def open_conns(self) -> list[int]:
        """The newest connection of each victim that was open when the fault began."""
        before = self.records[: self.since]
        closed = {r.conn for r in before if isinstance(r, Closed)}
        newest = {
            r.who: r.conn
            for r in before
            if isinstance(r, Opened)
            and r.who in self.fault.whom
            and r.conn not in closed
        }
        return list(newest.values())

    def frames(self) -> list[Frame]:
        """Frames since the fault began, on any connection of a victim."""
        return [
            r
            for r in self.after()
            if isinstance(r, Frame) and self.owner.get(r.conn) in self.fault.whom
        ]

    def behind(self) -> list[Behind]:
        """Who is behind a middlebox, and how it is configured."""
        return [r for r in self.records if isinstance(r, Behind)]

    def witnessed(self, uid: str | None = None) -> dict[Event, Frame]:
        """Events that witnesses saw since the fault began.

        With a uid only those of its channel.
        """
        return {
            event: r
            for r in self.after()
            if isinstance(r, Frame)
            and is_witness(self.owner.get(r.conn, ""))
            and uid in (None, self.uid[r.conn])
            and (event := event_of(r.text)) is not None
        }


def observed(fault: Fault, records: Sequence[AnyRecord], since: int) -> str:
    """What was observed of `fault`, which began after record `since`; "" if nothing."""
    return Evidence(records, fault, since).effect()


def _cut(seen: Evidence) -> str:
    """Its victims' connections ended so; those left hanging before do not count."""
    fault = seen.fault
    newest = {seen.owner[conn]: conn for conn in seen.open_conns}
    cuts: dict[str, Closed] = {}
    for record in seen.after():
        if isinstance(record, Closed) and seen.owner.get(record.conn) in fault.whom:
            who = seen.owner[record.conn]
            if record.conn >= newest.get(who, 0):
                cuts.setdefault(who, record)
    if set(cuts) != set(fault.whom):
        return ""
    wanted = CloseKind.RST if fault.close is Close.RST else CloseKind.FIN
    if any(one.kind is not wanted for one in cuts.values()):
        return ""
    return "; ".join(
        f"{who}: {one.kind} after {one.received} bytes of the body"
        for who, one in cuts.items()
    )


def _late(seen: Evidence) -> str:
    """Latency, bandwidth: the same event came later than to the witness."""
    witnessed = seen.witnessed()
    lates = [
        frame.t_s - witnessed[event].t_s
        for frame in seen.frames()
        if (event := event_of(frame.text)) is not None and event in witnessed
    ]
    least = seen.fault.delay_ms / 1_000 * 0.5 or 0.05
    worst = max(lates, default=0.0)
    return f"events came up to {worst:.3f} s late" if worst >= least else ""


def _sliced(seen: Evidence) -> str:
    most = max((f.chunks for f in seen.frames() if event_of(f.text)), default=0)
    return f"a frame came in {most} pieces" if most >= 2 else ""


def _silent(seen: Evidence) -> str:
    """Stall, black hole, partition: the witness saw what the victim did not."""
    conns = seen.open_conns
    if {seen.owner[conn] for conn in conns} != set(seen.fault.whom):
        return ""
    missed = _missed(seen, conns)
    if not all(missed.values()):
        return ""
    return "; ".join(
        f"{seen.owner[conn]}: {count} events did not come through"
        for conn, count in missed.items()
    )


def _missed(seen: Evidence, conns: Sequence[int]) -> dict[int, int]:
    """How many events were held back or swallowed, while each connection was open.

    Judged at the moment of healing, so what is not there yet was held back. One pass
    for all: a crowd's victims and records are many.
    """
    got: dict[int, set[Event | None]] = {conn: set() for conn in conns}
    until_s = dict.fromkeys(conns, seen.records[-1].t_s)
    for record in seen.after():
        if isinstance(record, Frame) and record.conn in got:
            got[record.conn].add(event_of(record.text))
        elif isinstance(record, Closed) and record.conn in got:
            until_s[record.conn] = record.t_s
    witnessed = {uid: seen.witnessed(uid) for uid in {seen.uid[one] for one in conns}}
    return {
        conn: sum(
            1
            for event, frame in witnessed[seen.uid[conn]].items()
            if event not in got[conn] and frame.t_s + MARGIN_S < until_s[conn]
        )
        for conn in conns
    }


def _refused(seen: Evidence) -> str:
    refused = [
        r
        for r in seen.after()
        if isinstance(r, Closed)
        and seen.owner.get(r.conn) in seen.fault.whom
        and r.kind is CloseKind.REFUSED
    ]
    whom = {seen.owner[r.conn] for r in refused}
    if whom != set(seen.fault.whom):
        return ""
    return f"{len(refused)} connections refused"


def _lost_ack(seen: Evidence) -> str:
    """The server's event was witnessed, its answer never came."""
    writes = {
        r.n: r
        for r in seen.after()
        if isinstance(r, Invoke)
        and r.who in seen.fault.whom
        and r.f in (F.CREATE, F.UPDATE)
    }
    lost = [
        writes[r.call] for r in seen.after() if isinstance(r, Info) and r.call in writes
    ]
    texts = {event.text for event in seen.witnessed()}
    done = [one for one in lost if one.text and one.text in texts]
    return f"{len(done)} writes carried out and not answered" if done else ""


def _slowly_closed(seen: Evidence) -> str:
    exited = next(
        (
            r.t_s
            for r in seen.after()
            if isinstance(r, Life) and r.phase is LifePhase.EXITED
        ),
        None,
    )
    if exited is None:
        return ""
    delays = [
        r.t_s - exited
        for r in seen.after()
        if isinstance(r, Closed) and seen.owner.get(r.conn) in seen.fault.whom
    ]
    least = seen.fault.delay_ms / 1_000 * 0.8
    return (
        f"closed {max(delays):.3f} s after the server's exit"
        if delays and max(delays) >= least
        else ""
    )


def _ended(seen: Evidence) -> str:
    for record in seen.after():
        if isinstance(record, Life) and record.phase is LifePhase.EXITED:
            return f"exit status {record.status}"
    return ""


def _paused(seen: Evidence) -> str:
    phases = [r.phase for r in seen.after() if isinstance(r, Life)]
    return "frozen, then ran on" if LifePhase.RESUMED in phases else ""


def _reloaded(seen: Evidence) -> str:
    """The old worker kept every stream for as long as it was told to."""
    told = {r.who: r.nginx.shutdown_timeout_s for r in seen.behind()}
    broken = _broken_off(seen)
    if any(
        lived_s < (told.get(who) or inf) * 0.8 for who, _, lived_s in broken
    ):  # an endless time has no end to be seen
        return ""
    return _told_of(broken)


def _restarted(seen: Evidence) -> str:
    return _told_of(_broken_off(seen))


def _broken_off(seen: Evidence) -> list[tuple[str, CloseKind, float]]:
    """How, and how long after the fault began, the victims' streams broke off.

    Nothing unless all of them did: what a middlebox cuts has no proper end.
    """
    ends = {r.conn: r for r in seen.after() if isinstance(r, Closed)}
    began_s = seen.records[seen.since - 1].t_s
    broken = [
        (seen.owner[conn], ends[conn].kind, ends[conn].t_s - began_s)
        for conn in seen.open_conns
        if conn in ends and ends[conn].kind in (CloseKind.FIN, CloseKind.RST)
    ]
    return broken if {who for who, _, _ in broken} == set(seen.fault.whom) else []


def _told_of(broken: list[tuple[str, CloseKind, float]]) -> str:
    return "; ".join(f"{who}: {kind} after {s:.3f} s" for who, kind, s in broken)


def _barred(seen: Evidence) -> str:
    """Storage away or full: writes were refused, or never answered, while it held."""
    told = {
        record.call: f"status {record.answer.status}" if record.answer else "no answer"
        for record in seen.after()
        if isinstance(record, Info | Fail)
    }
    unless = {  # what is refused for its own sake says nothing of the storage
        record.call for record in seen.after() if isinstance(record, Fail)
    }
    refused = [
        told[write.n]
        for write in _writes_under(seen)
        if write.n in told and (write.f is F.CREATE or write.n not in unless)
    ]
    return f"{len(refused)} writes not carried out ({refused[0]})" if refused else ""


def _writes_under(seen: Evidence) -> Iterator[Invoke]:
    """Writes that began while a fault of the storage held."""
    holds = False
    for record in seen.after():
        if isinstance(record, Hold):
            holds = not record.ends
        elif isinstance(record, Invoke) and record.f in WRITES and holds:
            yield record


def _slowed(seen: Evidence) -> str:
    """Storage slow: a write took as long as it had to wait."""
    begun = {write.n: write.t_s for write in _writes_under(seen)}
    took = [
        record.t_s - begun[record.call]
        for record in seen.after()
        if isinstance(record, Ok | Info) and record.call in begun
    ]
    least = seen.fault.delay_ms / 1_000 * 0.5
    worst = max(took, default=0.0)
    return f"a write took {worst:.3f} s" if worst >= least else ""


def _commit_cut(seen: Evidence) -> str:
    """A write was under way when its commit was caught and cut."""
    held = next((r for r in seen.after() if isinstance(r, Hold) and not r.ends), None)
    if held is None:
        return ""
    done = {r.call: r.n for r in seen.after() if isinstance(r, Ok | Info)}
    writes = [
        r
        for r in seen.after()
        if isinstance(r, Invoke) and r.f in WRITES and r.n < held.n < done.get(r.n, 0)
    ]
    return f"the commit of 1 of {len(writes)} writes was cut" if writes else ""


_EFFECTS = {
    FaultKind.CUT: _cut,
    FaultKind.LATENCY: _late,
    FaultKind.BANDWIDTH: _late,
    FaultKind.SLICE: _sliced,
    FaultKind.STALL: _silent,
    FaultKind.BLACK_HOLE: _silent,
    FaultKind.PARTITION: _silent,
    FaultKind.REFUSE: _refused,
    FaultKind.LOST_ACK: _lost_ack,
    FaultKind.SLOW_CLOSE: _slowly_closed,
    FaultKind.TERM: _ended,
    FaultKind.KILL: _ended,
    FaultKind.PAUSE: _paused,
    FaultKind.MIDDLEBOX_RELOAD: _reloaded,
    FaultKind.MIDDLEBOX_RESTART: _restarted,
    FaultKind.STORAGE_AWAY: _barred,
    FaultKind.STORAGE_SLOW: _slowed,
    FaultKind.STORAGE_FULL: _barred,
    FaultKind.COMMIT_CUT: _commit_cut,
}
