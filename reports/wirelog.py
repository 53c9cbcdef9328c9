"""The wire log: what each connection carried, as it came, shortened to a budget.

Pure: a history and the indices that findings cite in, rows out. A cited record is
always there, with its neighbours; what is left out is counted, never just missing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.history import Closed, Frame, History, Opened, Responded
from reports.frames import glance
from reports.records import operation_row
from reports.rows import Gap, Row, shorten

_LEAST = 4

StreamRecord = Opened | Responded | Frame | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One connection, or all requests of a case: a title, then rows and gaps."""

    title: str
    rows: tuple[Row | Gap, ...]
    total: int
    cited: bool


def wire_logs(
    history: History, cited: Collection[int], *, lines: int
) -> tuple[Log, ...]:
    """One log a connection, cited ones first, within `lines` rows in all.

    With more connections than the budget has room for, the last ones show only
    that they were there.
    """
    by_conn: dict[int, list[StreamRecord]] = {}
    for record in history.records:
        if isinstance(record, Opened | Responded | Frame | Closed):
            by_conn.setdefault(record.conn, []).append(record)
    shares = _shares({conn: len(seen) for conn, seen in by_conn.items()}, lines)
    logs = [_log(conn, seen, cited, shares[conn]) for conn, seen in by_conn.items()]
    return tuple(sorted(logs, key=lambda log: not log.cited))


def operation_log(history: History, cited: Collection[int], *, lines: int) -> Log:
    """Every request, fault, server life and note of a case in one log."""
    rows = [
        operation_row(record, history, cited=record.n in cited)
        for record in history.records
        if not isinstance(record, Opened | Responded | Frame | Closed)
    ]
    return _shortened("requests, faults and server", rows, lines)


def _shares(sizes: Mapping[int, int], lines: int) -> dict[int, int]:
    """Rows for each connection: what short ones leave over goes to the long ones."""
    shares: dict[int, int] = {}
    left = lines
    for place, conn in enumerate(sorted(sizes, key=lambda conn: sizes[conn])):
        even = left // (len(sizes) - place)
        shares[conn] = max(_LEAST, min(sizes[conn], even))
        left = max(0, left - shares[conn])
    return shares


def _log(
    conn: int, records: Sequence[StreamRecord], cited: Collection[int], lines: int
) -> Log:
    who = next((one.who for one in records if isinstance(one, Opened)), "?")
    rows = [_row(record, cited=record.n in cited) for record in records]
    frames = sum(isinstance(one, Frame) for one in records)
    end = next((f", {one.kind}" for one in records if isinstance(one, Closed)), "")
    noun = "frame" if frames == 1 else "frames"
    return _shortened(f"{who}, connection {conn}: {frames} {noun}{end}", rows, lines)


def _shortened(title: str, rows: Sequence[Row], lines: int) -> Log:
    return Log(
        title=title,
        rows=tuple(shorten(rows, lines)),
        total=len(rows),
        cited=any(row.cited for row in rows),
    )


def _row(record: StreamRecord, *, cited: bool) -> Row:
    if isinstance(record, Opened):
        kind, head, text = "opened", _asked(record), ""
    elif isinstance(record, Responded):
        kind, head, text = "answered", f"status {record.status}", _headers(record)
    elif isinstance(record, Closed):
        kind, head, text = "closed", _ended(record), record.tail
    else:
        return _frame_row(record, cited=cited)
    return Row(n=record.n, t_s=record.t_s, kind=kind, head=head, text=text, cited=cited)


def _frame_row(record: Frame, *, cited: bool) -> Row:
    notes = [f"byte {record.offset}"]
    if record.chunks > 1:
        late = record.t_s - record.began_s
        notes.append(f"in {record.chunks} reads over {late:.3f} s")
    text = record.text
    if record.raw is not None:
        notes.append("not UTF-8")
        text = record.raw.decode("utf-8", "backslashreplace")
    return Row(
        n=record.n,
        t_s=record.t_s,
        kind=glance(record.text).kind,
        head=", ".join(notes),
        text=text,
        cited=cited,
        aside=True,
    )


def _asked(record: Opened) -> str:
    parts = [
        f"{name} {value!r}"
        for name, value in (
            ("Last-Event-ID", record.header),
            ("query lastEventId", record.query),
        )
        if value is not None
    ]
    asked = "with " + ", ".join(parts) if parts else "without a cursor"
    return asked + ("" if record.pings else "; does not answer pings")


def _headers(record: Responded) -> str:
    return "\n".join(f"{name}: {value}" for name, value in record.headers.items())


def _ended(record: Closed) -> str:
    parts = [str(record.kind), f"{record.received} bytes received"]
    if record.error:
        parts.append(record.error)
    if record.tail:
        parts.append("partial tail:")
    return ", ".join(parts)


def left_out(logs: Iterable[Log]) -> int:
    """How many rows the logs do not show."""
    return sum(row.count for log in logs for row in log.rows if isinstance(row, Gap))
