"""The rule for several tabs of one user: private/all-tabs."""

from collections.abc import Iterator

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.connections import Conn
from harness.checkers.look import HELD, Look, rule
from harness.checkers.stream import delivered
from harness.core.profile import PERSONAL
from harness.core.verdict import Sighting


@rule("private/all-tabs", PERSONAL)
def all_tabs(case: Case) -> Iterator[Look]:
    """ "every open stream of a uid gets every event"."""
    for call in case.calls.writes:
        tabs = [conn for conn in case.conns if _is_open(conn, call)]
        if not call.ok or len(tabs) < 2:
            continue
        looks = [delivered(case, conn, call) for conn in tabs]
        missed = [look for look in looks if look and look.sighting is Sighting.BROKEN]
        yield from missed
        if all(look is HELD for look in looks):
            yield HELD


def _is_open(conn: Conn, call: Call) -> bool:
    """Live from before the write was asked for until it was acknowledged."""
    if conn.ping is None or conn.reset is not None:
        return False
    return conn.ping.t_s < call.invoke.t_s and call.acked_s <= conn.end_s
