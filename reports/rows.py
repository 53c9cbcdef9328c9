"""Rows of a log, and how a long log is shortened around what findings cite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record: `head` is ours, `text` is the target's, exactly as it came.

    `aside` tells that the head is worth less than the text.
    """

    n: int
    t_s: float
    kind: str
    head: str
    text: str = ""
    cited: bool = False
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """So many rows left out here."""

    count: int


_AROUND = 2
"""Rows kept on either side of a cited one: what came before is half the proof."""

_MOST_CITED = 120
"""A finding an event on a long stream must not defeat the shortening."""


def shorten(rows: Sequence[Row], lines: int) -> Iterator[Row | Gap]:
    """The first and last rows, the cited ones and their neighbours, and gaps."""
    if len(rows) <= lines:
        yield from rows
        return
    head = max(2, lines * 2 // 3)
    tail = max(1, lines - head)
    kept = set(range(head)) | set(range(len(rows) - tail, len(rows)))
    cited = [place for place, row in enumerate(rows) if row.cited]
    for place in cited[:_MOST_CITED]:
        kept.update(range(place - _AROUND, place + _AROUND + 1))
    last = -1
    for place in sorted(place for place in kept if 0 <= place < len(rows)):
        if place - last > 1:
            yield Gap(place - last - 1)
        yield rows[place]
        last = place
