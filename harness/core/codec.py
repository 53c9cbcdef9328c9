"""Histories as JSON Lines: one record a line, torn ends told from broken files."""

from itertools import pairwise
from pathlib import Path

import msgspec

from harness.core.errors import BadInput
from harness.core.history import FORMAT, READABLE, AnyRecord, End, Header, History
from harness.core.stamp import UNREADABLE, Stamp

_encoder = msgspec.json.Encoder()
_records = msgspec.json.Decoder(AnyRecord)
_header = msgspec.json.Decoder(Header)
_stamp = msgspec.json.Decoder(Stamp)


def encode(record: Header | AnyRecord) -> bytes:
    """One line, newline included."""
    return _encoder.encode(record) + b"\n"


def decode(data: bytes, *, name: str = "history") -> History:
    """Read a history; raises `BadInput` naming the line when it is not one."""
    lines = data.split(b"\n")
    torn_tail = lines.pop() != b""
    if not lines:
        raise BadInput(f"{name}: empty or cut inside its first line; nothing to judge")
    header = _read_header(lines[0], name)
    records = tuple(
        _read_record(line, number, name) for number, line in enumerate(lines[1:], 1)
    )
    for before, after in pairwise(records):
        if after.t_s < before.t_s:
            raise BadInput(
                f"{name}: line {after.n + 1} says t_s={after.t_s}, earlier than the "
                f"{before.t_s} of the line before; a history is written as it happens"
            )
    ended = bool(records) and isinstance(records[-1], End)
    if any(isinstance(record, End) for record in records[:-1]):
        raise BadInput(f"{name}: records follow the end record; two files in one?")
    return History(header=header, records=records, torn=torn_tail or not ended)


def load(path: Path) -> History:
    """Read a history file; raises `BadInput` when it cannot be read or is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    return decode(data, name=str(path))


def _read_header(line: bytes, name: str) -> Header:
    try:
        stamp = _stamp.decode(line)
    except UNREADABLE as error:
        raise BadInput(f"{name}: line 1 is no {FORMAT} header ({error})") from error
    if stamp.format != FORMAT:
        raise BadInput(
            f"{name}: line 1 says format {stamp.format!r}, expected {FORMAT!r}; "
            "judge reads the .jsonl files that `unbroken run` writes"
        )
    if stamp.version not in READABLE:
        raise BadInput(
            f"{name}: history version {stamp.version}, this unbroken reads versions "
            f"{' and '.join(map(str, READABLE))}; use the release that wrote it"
        )
    try:
        return _header.decode(line)
    except UNREADABLE as error:
        raise BadInput(f"{name}: line 1: {error}") from error


def _read_record(line: bytes, number: int, name: str) -> AnyRecord:
    try:
        record: AnyRecord = _records.decode(line)
    except UNREADABLE as error:
        raise BadInput(f"{name}: line {number + 1}: {error}") from error
    if record.n != number:
        raise BadInput(
            f"{name}: line {number + 1} says n={record.n}, expected {number}; "
            "lines are missing or out of order"
        )
    return record
