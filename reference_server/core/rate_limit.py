"""Section 3: "More than one message a second from a uid: 429"."""

from collections.abc import Iterator
from itertools import takewhile

EVERY_S = 1.0


class RateLimit:
    """When the last message of each uid came, by the arrival of its request.

    Only messages count, that is what was stored: a caller who got a 4xx or a 5xx may
    try again at once. Two requests that arrive together are one second's messages even
    if the first waits for the database for longer than that.
    """

    def __init__(self) -> None:
        self.last_s: dict[str, float] = {}

    def wait_s(self, uid: str, arrived_s: float) -> float:
        """How long after `arrived_s` the next message may come; 0 when it may now."""
        last_s = self.last_s.get(uid)
        return 0.0 if last_s is None else max(0.0, last_s + EVERY_S - arrived_s)

    def note(self, uid: str, arrived_s: float) -> None:
        """A message was stored; what no longer matters is forgotten."""
        self.last_s.pop(uid, None)
        self.last_s[uid] = arrived_s
        for old in list(self._before(arrived_s - EVERY_S)):
            del self.last_s[old]

    def _before(self, limit_s: float) -> Iterator[str]:
        return takewhile(lambda uid: self.last_s[uid] <= limit_s, self.last_s)
