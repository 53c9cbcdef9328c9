"""Records that are no stream frames, put into words for a log and for links."""

from collections.abc import Mapping

import msgspec

from harness.core.history import (
    AnyRecord,
    Behind,
    Closed,
    End,
    F,
    Fail,
    Frame,
    History,
    Info,
    Invoke,
    Lag,
    Life,
    Note,
    Ok,
    Opened,
    Resources,
    Responded,
    View,
)
from reports.frames import glance
from reports.rows import Row


def record_at(history: History, n: int) -> AnyRecord | None:
    """The record that a finding cites, or None when there is none such."""
    if not 1 <= n <= len(history.records):
        return None
    return history.records[n - 1]


def operation_row(record: AnyRecord, history: History, *, cited: bool) -> Row:
    """One record as a row: our words in the head, the target's in the text."""
    head, text = _told(record, history)
    return Row(
        n=record.n,
        t_s=record.t_s,
        kind=_kind(record),
        head=head,
        text=text,
        cited=cited,
    )


def owners(history: History) -> dict[int, str]:
    """Which client each connection belongs to."""
    return {one.conn: one.who for one in history.records if isinstance(one, Opened)}


def link_text(record: AnyRecord, history: History, who: Mapping[int, str]) -> str:
    """A few words that tell a reader what a link leads to; `who` is `owners`."""
    when = f"{record.t_s:.3f} s"
    if isinstance(record, Frame):
        seen = glance(record.text)
        named = f" {seen.event_id}" if seen.event_id else ""
        client = who.get(record.conn, "?")
        return f"{seen.kind}{named[:40]} to {client} at {when}"
    if isinstance(record, Opened | Responded | Closed):
        client = who.get(record.conn, "?")
        return f"connection {record.conn} of {client} {_kind(record)} at {when}"
    if isinstance(record, Invoke):
        return f"{record.f} by {record.who} at {when}"
    if isinstance(record, View):
        return f"view of {record.who} at {when}"
    call = _call_of(record, history)
    if call is not None:
        return f"{call.f} by {call.who} {_kind(record)} at {when}"
    return f"{_kind(record)} at {when}"


def _call_of(record: AnyRecord, history: History) -> Invoke | None:
    if not isinstance(record, Ok | Fail | Info):
        return None
    call = record_at(history, record.call)
    return call if isinstance(call, Invoke) else None


def _kind(record: AnyRecord) -> str:
    tag = type(record).__struct_config__.tag
    return str(tag)


def _told(record: AnyRecord, history: History) -> tuple[str, str]:
    if isinstance(record, Invoke):
        return _asked(record)
    if isinstance(record, Ok | Fail | Info):
        return _answered(record, history)
    if isinstance(record, Life):
        return _lived(record)
    if isinstance(record, View):
        shown = "\n".join(f"{one.id!r}: {one.value!r}" for one in record.messages)
        return f"{record.who} shows {len(record.messages)} messages", shown
    if isinstance(record, Behind):
        return f"{record.who} is behind {_configured(record)}", ""
    if isinstance(record, Resources):
        return f"the target holds ({record.moment}) {_held(record)}", ""
    if isinstance(record, Lag):
        return f"the harness itself was {record.lag_s:.3f} s late", ""
    if isinstance(record, Note):
        return record.text, ""
    if isinstance(record, End):
        return ("complete" if record.complete else f"broken off: {record.reason}"), ""
    return _kind(record), ""


def _configured(record: Behind) -> str:
    settings = msgspec.structs.asdict(record.nginx)
    told = ", ".join(f"{name.replace('_', ' ')} {v}" for name, v in settings.items())
    return f"{record.version or 'nginx'} ({told})"


def _held(record: Resources) -> str:
    held = msgspec.structs.asdict(record.usage)
    return ", ".join(f"{n.replace('_', ' ')} {v}" for n, v in held.items() if v)


def _asked(record: Invoke) -> tuple[str, str]:
    if record.f is F.FAULT:
        return (record.fault.says() if record.fault else record.about), ""
    about = f" ({record.about})" if record.about else ""
    head = f"{record.who} {record.f}{about}"
    if record.request is None:
        return head, ""
    asked = record.request
    query = "&".join(f"{name}={value}" for name, value in asked.query.items())
    line = f"{asked.method} {asked.path}" + (f"?{query}" if query else "")
    return f"{head}: {line}", asked.body


def _answered(record: Ok | Fail | Info, history: History) -> tuple[str, str]:
    call = _call_of(record, history)
    asked = f"{call.who} {call.f}".strip() if call else f"record {record.call}"
    said = [record.effect if isinstance(record, Ok) else record.error]
    answer = record.answer
    if answer is not None:
        said.append(f"status {answer.status}")
        said += ["body cut at the harness's bound"] if answer.truncated else []
    told = ", ".join(part for part in said if part)
    head = f"{asked}: {told}" if told else asked
    return head, answer.body if answer else ""


def _lived(record: Life) -> tuple[str, str]:
    parts = [f"server life {record.life} {record.phase}"]
    parts += [f"by {record.how}"] if record.how else []
    parts += ["on an empty data folder"] if record.empty else []
    parts += [f"status {record.status}"] if record.status is not None else []
    return ", ".join(parts), record.output
