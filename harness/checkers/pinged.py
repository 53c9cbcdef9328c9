"""Connections and the pings made for them, and until when those came in time."""

from dataclasses import dataclass

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.core.history import F


@dataclass(slots=True)
class Pinged:
    """A connection with a ping frame and the pings made for it."""

    conn: Conn
    since_s: float
    pings: list[Call]


def pinged_in(case: Case) -> list[Pinged]:
    """Those whose ids are their own."""
    calls: dict[str, list[Call]] = {}
    for call in case.calls.by_f[F.PING]:
        calls.setdefault(call.invoke.about, []).append(call)
    owners: dict[str, int] = {}
    for conn in case.conns:
        owners[conn.connection_id] = owners.get(conn.connection_id, 0) + 1
    return [
        Pinged(conn, conn.ping.t_s, calls.get(conn.connection_id, []))
        for conn in case.conns
        if conn.ping and conn.connection_id and owners[conn.connection_id] == 1
    ]


def interval_s(case: Case, conn: Conn) -> float:
    """The shortest interval that its ping frames ask for, else the declared one."""
    payloads = [one.block.payload for one in conn.controls if one.block.kind == "ping"]
    found = [one.get("interval") for one in payloads if isinstance(one, dict)]
    asked = [ms for ms in found if isinstance(ms, int | float) and 0 < ms < 1e9]
    return float(min(asked, default=case.limits.ping_interval_ms)) / 1000


def in_time_until(case: Case, pinged: Pinged, until_s: float) -> float:
    """Up to when the server surely was pinged in time, however late it all came.

    The server's own clock starts no earlier than the connection was opened; a ping
    reached it no earlier than it was made and no later than it was answered.
    """
    every_s = interval_s(case, pinged.conn) + case.limits.ping_grace_ms / 2000
    last_s = pinged.conn.opened.t_s
    for call in pinged.pings:
        if call.ok and call.done_s <= until_s:
            if call.done_s - last_s > every_s:
                break
            last_s = max(last_s, call.invoke.t_s)
    return min(last_s + every_s, until_s)


def ended_in_time(case: Case, conn: Conn) -> bool:
    """Whether the server ended a connection while it was surely pinged in time."""
    return conn.server_ended and any(
        in_time_until(case, pinged, conn.end_s) >= conn.end_s
        for pinged in pinged_in(case)
        if pinged.conn is conn
    )
