"""Cursors of the reference server.

Section 3: "`EPOCH-SEQ`, ASCII letters, digits and `-`, at most 64 characters."
"""

import re
from dataclasses import dataclass
from typing import Self

MAX_LENGTH = 64
_FORM = re.compile(r"([A-Za-z0-9]{1,40})-(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one life of an event log: after its event number `seq`."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The cursor that `text` spells, or None: "malformed, negative, oversized"."""
        match = _FORM.fullmatch(text)
        if match is None or len(text) > MAX_LENGTH:
            return None
        return cls(epoch=match[1], seq=int(match[2]))
