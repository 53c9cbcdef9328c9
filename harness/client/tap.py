"""Cuts the raw bytes of a stream into blocks at their blank lines, without judging.

A block is what WHATWG's event stream calls an event: every line up to and with a
blank one. Lines end with CR LF, LF or CR. Nothing is dropped: blocks and the tail
together are the body, byte for byte.
"""

import re
from dataclasses import dataclass

MAX_BLOCK_BYTES = 256 << 10
"""The longest message of docs/protocol.md is 120 KB, with every character escaped."""

MAX_BODY_BYTES = 16 << 20
MAX_BLOCKS = 20_000

_LINE_END = re.compile(rb"\r\n|\n|\r")

Span = tuple[float, float]
"""From when to when, in seconds of the run."""


class Flood(Exception):
    """The target sends more than a client can be asked to hold."""


@dataclass(frozen=True, slots=True)
class Block:
    """`data` began at `offset` of the body at `began_s` and came in `chunks` reads.

    `quiet` is the longest silence between two of them.
    """

    offset: int
    began_s: float
    data: bytes
    chunks: int
    quiet: Span | None = None


class Splitter:
    """Feed it chunks as they come; it gives the blocks that they complete."""

    def __init__(self) -> None:
        self.received = 0
        self._buffer = bytearray()
        self._offset = 0
        self._line_start = 0
        self._scanned = 0
        self._began_s = 0.0
        self._chunks = 0
        self._blocks = 0
        self._after_cr = False
        self._ended_s = self._read_s = 0.0
        self._quiet: Span | None = None

    @property
    def tail(self) -> bytes:
        """What came after the last whole block."""
        return bytes(self._buffer)

    def silence(self, now_s: float) -> Span | None:
        """The longest silence since the last whole block; None without any byte."""
        if not self.received:
            return None
        began_s = self._began_s if self._buffer else now_s
        spans = ((self._ended_s, began_s), self._quiet, (self._read_s, now_s))
        return max((s for s in spans if s is not None), key=_length)

    def feed(self, data: bytes, now_s: float) -> list[Block]:
        """The blocks that `data` completes; raises `Flood` past the bounds."""
        self.received += len(data)
        if self._after_cr and data.startswith(b"\n"):
            # The second half of a CR LF whose first half ended the last block.
            data = data[1:]
            self._offset += 1
        self._after_cr = False
        if not self._buffer:
            self._began_s, self._chunks = now_s, 0
        else:
            since = (self._read_s, now_s)
            self._quiet = max(self._quiet or since, since, key=_length)
        self._read_s = now_s
        self._chunks += 1
        self._buffer += data
        blocks = list(self._complete(now_s))
        self._check_bounds(len(blocks))
        return blocks

    def _complete(self, now_s: float) -> list[Block]:
        blocks = []
        scan = max(self._line_start, self._scanned)
        while (end := _LINE_END.search(self._buffer, scan)) is not None:
            blank = end.start() == self._line_start
            if end.group() == b"\r" and end.end() == len(self._buffer) and not blank:
                break
            scan = self._line_start = end.end()
            if blank:
                blocks.append(self._take(scan))
                self._began_s = self._ended_s = now_s
                scan = 0
        self._scanned = max(0, len(self._buffer) - 1)
        return blocks

    def _take(self, size: int) -> Block:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        block = Block(self._offset, self._began_s, data, self._chunks, self._quiet)
        self._quiet = None
        self._after_cr = data.endswith(b"\r") and not self._buffer
        self._offset += size
        self._line_start = 0
        self._chunks = 1 if self._buffer else 0
        return block

    def _check_bounds(self, blocks: int) -> None:
        self._blocks += blocks
        if len(self._buffer) > MAX_BLOCK_BYTES:
            raise Flood(f"{len(self._buffer)} bytes without a blank line")
        if self.received > MAX_BODY_BYTES or self._blocks > MAX_BLOCKS:
            raise Flood(f"{self.received} bytes in {self._blocks} blocks")


def _length(span: Span) -> float:
    return span[1] - span[0]
