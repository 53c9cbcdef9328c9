"""One direction of a connection: bytes that arrive later, in order, at a rate, or not.

What was sent and not yet read counts against the window; a full one makes the writer
wait. `deliver` and `end` are called when something arrives, in the network's context.
"""

import contextvars
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from harness.sim.loop import SimLoop
from harness.sim.step import Step

WINDOW = 65_536
"""Bytes on their way or unread at the other end, at most."""

SLICE_PAUSE_S = 0.005
"""Between two slices, as on the live arm."""

RATE_STEP_S = 0.1
"""A slow wire carries pieces of this duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What faults do to a wire; the default does nothing.

    `swallows`: bytes vanish; `held`: they wait; `end_delay_s`: the end comes late.
    """

    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    slice_bytes: int = 0
    end_delay_s: float = 0.0
    held: bool = False
    swallows: bool = False


PLAIN = Shape()


@dataclass(slots=True)
class _Segment:
    sent_s: float
    arrives_s: float
    data: bytes
    reset: bool | None = None  # an end: by RST, or by FIN


class Wire:
    """Bytes from a writer to a reader; `latency` draws how long the next ones take."""

    def __init__(
        self,
        loop: SimLoop,
        *,
        latency: Callable[[], float],
        deliver: Callable[[bytes], None],
        end: Callable[[bool], None],
    ) -> None:
        self.unread = 0
        self.on_room: Callable[[], None] = _nothing
        self.shape = PLAIN
        self.limit: int | None = None
        self.on_limit: Callable[[], None] = _nothing
        self.ended = False
        self._loop = loop
        self._latency = latency
        self._deliver = deliver
        self._end = end
        self._segments: deque[_Segment] = deque()
        self._last_s = 0.0
        self._timer: Step | None = None
        self._context = contextvars.Context()

    @property
    def room(self) -> int:
        """How many bytes may be sent now."""
        return max(0, WINDOW - self.unread)

    def send(self, data: bytes) -> None:
        """Put bytes on their way; never b"", which a reader takes for the end."""
        if self.ended or self.shape.swallows or not data:
            return
        self.unread += len(data)
        now_s = self._loop.time()
        last = self._segments[-1] if self._segments else None
        plain = not (self.shape.bytes_per_s or self.shape.slice_bytes)
        if plain and last and last.sent_s == now_s and last.reset is None:
            last.data += data
            return
        arrives_s = now_s + self._latency() + self.shape.delay_s
        for piece, takes_s in self._pieces(data):
            arrives_s = max(arrives_s, self._last_s) + takes_s
            self._append(_Segment(now_s, arrives_s, piece))

    def finish(self, *, reset: bool) -> None:
        """Nothing more will be sent: the end arrives after what was."""
        if self.ended:
            return
        self.ended = True
        now_s = self._loop.time()
        arrives_s = now_s + self._latency() + self.shape.end_delay_s
        self._append(_Segment(now_s, max(arrives_s, self._last_s), b"", reset))

    def cut(self, *, reset: bool) -> None:
        """The end is here now; what is on its way is lost."""
        self.ended = True
        self._segments.clear()
        self._stop_timer()
        self._end(reset)

    def reshape(self, shape: Shape) -> None:
        """Other faults from now on; a line that is free again empties at once."""
        self.shape = shape
        if not (shape.bytes_per_s or shape.slice_bytes or shape.delay_s):
            self._hurry()
        self._stop_timer()
        self._start_timer()

    def read(self, size: int) -> None:
        """The reader took bytes: there is room for others."""
        was_full = self.unread >= WINDOW
        self.unread -= size
        if was_full and self.unread < WINDOW:
            self.on_room()

    def _pieces(self, data: bytes) -> list[tuple[bytes, float]]:
        """As one, or sliced: each piece and how long it takes."""
        shape = self.shape
        size = shape.slice_bytes or len(data)
        if shape.bytes_per_s:
            size = min(size, max(1, int(shape.bytes_per_s * RATE_STEP_S)))
        pause_s = SLICE_PAUSE_S if shape.slice_bytes else 0.0
        rate = shape.bytes_per_s
        return [
            (piece, (len(piece) / rate if rate else 0.0) + (pause_s if start else 0.0))
            for start in range(0, len(data), size)
            for piece in (data[start : start + size],)
        ]

    def _hurry(self) -> None:
        """What was held back by delay, rate or slices comes now, ends as they were."""
        soon_s = self._loop.time() + self._latency()
        for segment in self._segments:
            if segment.reset is None:
                segment.arrives_s = min(segment.arrives_s, soon_s)
        self._last_s = self._segments[-1].arrives_s if self._segments else 0.0

    def _append(self, segment: _Segment) -> None:
        self._last_s = segment.arrives_s
        self._segments.append(segment)
        if self._timer is None:
            self._start_timer()

    def _start_timer(self) -> None:
        if not self._segments:
            return
        first = self._segments[0]
        if self.shape.held and (len(self._segments) > 1 or first.reset is None):
            return
        self._timer = self._loop.call_at(
            first.arrives_s, self._arrive, context=self._context
        )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arrive(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        segments = self._segments
        while segments and segments[0].arrives_s <= now_s and not self.shape.held:
            self._hand_over(segments.popleft())
        if segments and self.shape.held and segments[0].reset is not None:
            self._hand_over(segments.popleft())
        if self._timer is None:
            self._start_timer()

    def _hand_over(self, segment: _Segment) -> None:
        if segment.reset is not None:
            self._end(segment.reset)
            return
        data = segment.data
        if self.limit is not None:
            data = data[: self.limit]
            self.unread -= len(segment.data) - len(data)
            self.limit -= len(data)
        if data:
            self._deliver(data)
        if self.limit == 0:
            self.limit = None
            self.on_limit()


def _nothing() -> None:
    return None
