"""What reached the server in a run of the sim arm: to be played to a bare one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from harness.sim.connection import ServerEnd


@dataclass(frozen=True, slots=True)
class Heard:
    """Bytes that came on a connection, in order of arrival; None is its end."""

    connection: int
    data: bytes | None


@dataclass(slots=True)
class Tape:
    """All that a server heard, and how many bytes it said."""

    heard: list[Heard] = field(default_factory=list)
    said: int = 0
    _numbers: dict[ServerEnd, int] = field(default_factory=dict)

    @contextmanager
    def recording(self) -> Iterator["Tape"]:
        """Record whatever simulated servers hear and say meanwhile."""
        with ExitStack() as stack:
            for name, note in (
                ("_receive", self._receive),
                ("_end_of_peer", self._end),
                ("write", self._write),
            ):
                noted = _before(note, getattr(ServerEnd, name))
                stack.enter_context(patch.object(ServerEnd, name, noted))
            yield self

    def _receive(self, end: ServerEnd, data: bytes) -> None:
        self.heard.append(Heard(self._number(end), data))

    def _end(self, end: ServerEnd, reset: bool) -> None:
        del reset
        self.heard.append(Heard(self._number(end), None))

    def _write(self, end: ServerEnd, data: bytes) -> None:
        if not end.is_closing():
            self.said += len(data)

    def _number(self, end: ServerEnd) -> int:
        return self._numbers.setdefault(end, len(self._numbers))


def _before(note: Any, method: Any) -> Any:
    def noted(end: ServerEnd, *args: Any) -> Any:
        note(end, *args)
        return method(end, *args)

    return noted
