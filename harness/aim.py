"""Where a cut lands inside a frame: choosing the byte, and naming where it fell."""

import re
from collections.abc import Sequence

from harness.core.fault import Aim
from harness.core.history import AnyRecord, Closed, Frame, Opened, Responded

AIM_ATTEMPTS = 8
"""Shots per cut: two are usual, more mean that frames, or the pieces that they are sent
in, do not resemble each other."""

_FIELDS = {Aim.EVENT_LINE: "event", Aim.ID_LINE: "id", Aim.DATA_LINE: "data"}
_PARTIAL_CHARACTER = re.compile(r"(\\x[0-9a-f]{2})+$")


def chunk_overhead(frame: str) -> int:
    """Bytes that chunked transfer coding puts before a frame sent as one chunk."""
    return len(f"{len(frame.encode()):x}\r\n")


def offset_in(frame: str, aim: Aim) -> int | None:
    """How many bytes of this frame to let through; None when it has no such place."""
    raw = frame.encode()
    match aim:
        case Aim.BETWEEN_FRAMES:
            return len(raw)
        case Aim.BEFORE_BLANK_LINE:
            return len(raw.rstrip(b"\r\n")) + 1
        case Aim.UTF8_CHARACTER:
            wide = next((i for i, byte in enumerate(raw) if byte >= 0xC0), None)
            return None if wide is None else wide + 1
    field = _FIELDS[aim].encode()
    # Not inside a character of more than one byte: that is another aim.
    found = re.search(rb"(?:\A|[\r\n])" + field + rb":[\x20-\x7e]{1,2}", raw)
    return None if found is None else found.end()


def landed(tail: str) -> Aim:
    """Where a connection was cut, told from what came after the last whole frame."""
    if not tail:
        return Aim.BETWEEN_FRAMES
    if _PARTIAL_CHARACTER.search(tail):
        return Aim.UTF8_CHARACTER
    line = re.split(r"\r\n|\n|\r", tail)[-1]
    if not line:
        return Aim.BEFORE_BLANK_LINE
    for aim, field in _FIELDS.items():
        if line.startswith(field) or field.startswith(line):
            return aim
    return Aim.DATA_LINE


def _has_data(frame: str) -> bool:
    return any(line.startswith("data") for line in frame.splitlines())


class Shot:
    """Aims cuts at one place of a client's next frame, learning from each miss.

    The event seen last is the sample for the next one's frame; bytes on the wire are
    those of the body and what transfer coding puts around them.
    """

    def __init__(self, aim: Aim, who: str, records: Sequence[AnyRecord]) -> None:
        self._aim = aim
        self._who = who
        self._records = records
        self._correction = 0
        self._offset = 0
        self._conn = 0
        self._before = 0

    def aimed(self) -> int | None:
        """Wire bytes to let through from now on; None when there is no such place."""
        self._conn = max(
            r.conn
            for r in self._records
            if isinstance(r, Opened) and r.who == self._who
        )
        frames = [
            r for r in self._records if isinstance(r, Frame) and r.conn == self._conn
        ]
        sample = next((f.text for f in reversed(frames) if _has_data(f.text)), "")
        offset = offset_in(sample, self._aim)
        if offset is None or not sample:
            return None
        self._offset = offset
        self._before = frames[-1].offset + len(frames[-1].text.encode())
        overhead = chunk_overhead(sample) if self._is_chunked() else 0
        return max(1, overhead + offset + self._correction)

    def _is_chunked(self) -> bool:
        """Whether each frame has its size before it on the wire."""
        return any(
            isinstance(r, Responded)
            and r.conn == self._conn
            and "transfer-encoding" in r.headers
            for r in self._records
        )

    def hit(self) -> bool:
        """Whether the cut landed there; a miss corrects the next shot."""
        closed = next(
            (
                r
                for r in reversed(self._records)
                if isinstance(r, Closed) and r.conn == self._conn
            ),
            None,
        )
        if closed is None:  # the cut had no effect, which the history says
            return False
        came = closed.received - self._before
        self._correction += self._offset - came
        return landed(closed.tail) is self._aim and came > 0
