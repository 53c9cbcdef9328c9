"""The decision table of a new stream: fresh, resumed or reset.

Section 3: "Resumable = same epoch, and cursor <= head, and (event `cursor` or event
`cursor+1` is still in the log)."
"""

from dataclasses import dataclass
from enum import StrEnum

from reference_server.core.cursor import Cursor


class Reason(StrEnum):
    """Section 3, stream, 3: the reasons that a reset may give."""

    RESTARTED = "restarted"
    EVICTED = "evicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fresh:
    """No cursor was sent. reset/fresh-never: such a stream "is never reset"."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Replay the events after number `after`, then go live."""

    after: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Continuity is lost."""

    reason: Reason


Decision = Fresh | Resume | Reset


def decide(text: str | None, *, epoch: str, head: int, oldest: int) -> Decision:
    """What becomes of a stream whose client sent the cursor `text`.

    An empty cursor is none: an EventSource without a last id sends no header. A
    well-formed cursor of another epoch counts as one of an earlier life.
    """
    if not text:
        return Fresh()
    cursor = Cursor.parse(text)
    if cursor is None:
        return Reset(Reason.UNKNOWN)
    if cursor.epoch != epoch:
        return Reset(Reason.RESTARTED)
    if cursor.seq > head:
        return Reset(Reason.UNKNOWN)
    if cursor.seq + 1 < oldest:
        return Reset(Reason.EVICTED)
    return Resume(after=cursor.seq)
