"""Resources as a running target tells them itself: Prometheus's text format.

Every Prometheus client library exports `process_*` by default; a target may tell more.
"""

import math
import re

from harness.core.usage import Usage

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?\s+(\S+)")

NAMES = {
    "process_resident_memory_bytes": "rss_bytes",
    "process_open_fds": "fds",
    "process_threads": "threads",
    "process_num_threads": "threads",
    "go_threads": "threads",
    "jvm_threads_current": "threads",
    "go_goroutines": "tasks",
    "open_connections": "connections",
}


def usage_of(text: str) -> Usage | None:
    """What such a text tells; None when it holds none of the names that count."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        matched = _LINE.match(line)
        if matched is not None and matched[1] in NAMES:
            value = _number(matched[2])
            if value is not None:
                found[NAMES[matched[1]]] = value
    return Usage(**found) if found else None


def _number(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value) if math.isfinite(value) and value >= 0 else None
