"""The channels of a case: a personal profile has one for each uid.

Section 1: a channel is "everyone (broadcast) or one uid (private)". What is asked, sent
and shown in one channel says nothing about another, so each is judged by itself; faults
and the server's lives are everybody's.
"""

from harness.core.history import (
    AnyRecord,
    Closed,
    Fail,
    Frame,
    History,
    Info,
    Invoke,
    Ok,
    Opened,
    Responded,
    View,
)
from harness.core.profile import PERSONAL


def split(history: History) -> dict[str, History]:
    """The history of each channel by its uid; numbers and times stay as they are."""
    if history.header.profile not in PERSONAL:
        return {"": history}
    uids = dict.fromkeys(
        record.uid
        for record in history.records
        if isinstance(record, Invoke | Opened) and record.uid
    )
    if len(uids) < 2:
        return dict.fromkeys(uids or ("",), history)
    owners = _Owners(history)
    return {
        uid: History(
            header=history.header,
            records=tuple(r for r in history.records if owners.of(r) in ("", uid)),
            torn=history.torn,
        )
        for uid in uids
    }


class _Owners:
    """Which uid a record is about; "" for everybody."""

    def __init__(self, history: History) -> None:
        records = history.records
        opened = [r for r in records if isinstance(r, Opened)]
        self._conns = {r.conn: r.uid for r in opened}
        self._clients = {r.who: r.uid for r in opened}
        self._calls = {r.n: r.uid for r in records if isinstance(r, Invoke)}

    def of(self, record: AnyRecord) -> str:
        match record:
            case Invoke() | Opened():
                return record.uid
            case Ok() | Fail() | Info():
                return self._calls.get(record.call, "")
            case Responded() | Frame() | Closed():
                return self._conns.get(record.conn, "")
            case View():
                return self._clients.get(record.who, "")
        return ""
