"""How a mutant is told from the clean server: by a probe of what it breaks.

A probe returns True when the requirement holds. It stands in for the harness: here it
only has to tell one named mutant from the clean server.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.reference_server.driver import Driver, Stream, running

SHORT_S = 0.1
SETTINGS: dict[str, Any] = {
    "ping_interval_ms": 150,
    "ping_grace_ms": 100,
    "keepalive_ms": 60,
    "queue_limit": 30,
    "retry_ms": 900,
}

Probe = Callable[[Driver], Awaitable[bool]]
Table = dict[str, Probe]


def into(table: Table) -> Callable[..., Callable[[Probe], Probe]]:
    """A decorator that puts a probe into `table` under the names of its mutants."""

    def named(*names: str) -> Callable[[Probe], Probe]:
        def register(probe: Probe) -> Probe:
            table.update(dict.fromkeys(names, probe))
            return probe

        return register

    return named


async def bites(folder: Path, name: str, probe: Probe) -> bool:
    """Whether the clean server passes and the mutant does not."""
    async with running(folder / "clean", **SETTINGS) as server:
        clean = await probe(server)
    async with running(folder / "mutant", mutant=name, **SETTINGS) as server:
        mutated = await probe(server)
    assert clean, "the clean server fails its own probe"
    return not mutated


async def settled(stream: Stream, timeout_s: float = SHORT_S) -> Stream:
    """What comes until it ends or the time is over."""
    with suppress(TimeoutError):
        await stream.until(lambda each: each.ended, timeout_s)
    return stream
