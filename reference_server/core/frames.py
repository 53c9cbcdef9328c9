"""The bytes of the stream.

JSON escapes line ends, so that a payload is one `data:` line whatever it holds.
"""

import json
from typing import Any

from reference_server.core.event_log import Event
from reference_server.core.resume import Reason


def to_json(value: Any) -> bytes:
    """Compact UTF-8 JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")


class Frames:
    """Renders every block that a stream may carry; holds no state."""

    keepalive = b": keep-alive\n\n"

    def block(
        self,
        name: str,
        data: Any,
        *,
        cursor: str | None = None,
        retry_ms: int | None = None,
    ) -> bytes:
        """One dispatched block; no `id` line means that the cursor stays."""
        lines = [b"event: " + name.encode("ascii")]
        if cursor is not None:
            lines.append(b"id: " + cursor.encode("ascii"))
        if retry_ms is not None:
            lines.append(b"retry: %d" % retry_ms)
        lines.append(b"data: " + to_json(data))
        return b"\n".join(lines) + b"\n\n"

    def ping(
        self,
        connection_id: str,
        interval_ms: int,
        *,
        cursor: str | None = None,
        retry_ms: int | None = None,
    ) -> bytes:
        """Section 3, stream, 1: `{"id": CONNECTION, "interval": MS}`."""
        data = {"id": connection_id, "interval": interval_ms}
        return self.block("ping", data, cursor=cursor, retry_ms=retry_ms)

    def reset(self, reason: Reason) -> bytes:
        """Section 3, stream, 3; no id: "control frames never move the cursor"."""
        return self.block("reset", {"reason": reason.value})

    def event(self, cursor: str | None, event: Event) -> bytes:
        """Section 3, stream, 4; "`naive` sends no id at all"."""
        return self.block(event.kind.value, event.data, cursor=cursor)
