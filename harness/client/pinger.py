"""Keeps one ping timer, replaced at every ping frame (protocol section 3, point 1)."""

import asyncio

from harness.client.calls import Calls

MIN_INTERVAL_S = 0.05
MAX_INTERVAL_S = 3_600.0


class Pinger:
    """Posts a ping every interval that the last ping frame asked for."""

    def __init__(self, calls: Calls, *, enabled: bool) -> None:
        self._calls = calls
        self._enabled = enabled
        self._timer: asyncio.Task[None] | None = None

    def restart(self, frame: object) -> str:
        """Follow a new ping frame; gives its connection id, empty when malformed."""
        self.stop()
        connection, interval_s = _parse(frame)
        if self._enabled and connection and interval_s:
            self._timer = asyncio.create_task(self._every(connection, interval_s))
        return connection

    def stop(self) -> None:
        """Ping no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _every(self, connection: str, interval_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += interval_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._calls.ping(connection)


def _parse(frame: object) -> tuple[str, float]:
    """Connection id and interval in seconds, within what a client can keep up with."""
    if not isinstance(frame, dict):
        return "", 0.0
    ident, interval = frame.get("id"), frame.get("interval")
    connection = str(ident) if isinstance(ident, str) or type(ident) is int else ""
    if not isinstance(interval, int | float) or not interval > 0:
        return connection, 0.0
    interval_s = min(interval, MAX_INTERVAL_S * 1_000) / 1_000
    return connection, max(interval_s, MIN_INTERVAL_S)
