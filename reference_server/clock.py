"""The one place that reads the wall clock, so that a simulator can drive it."""

import time


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


class CreationClock:
    """Section 3: "give every stored message its own, rising `createdAt`"."""

    def __init__(self, last_ms: int) -> None:
        self._last_ms = last_ms

    def next_ms(self) -> int:
        """Now, or just after the last answer when the clock has not moved on."""
        self._last_ms = max(now_ms(), self._last_ms + 1)
        return self._last_ms
