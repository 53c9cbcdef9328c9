"""Everything that a server showed, searched for what it should not have kept."""

from typing import TYPE_CHECKING

from harness.core.history import F

if TYPE_CHECKING:
    from harness.checkers.case import Case


class Traces:
    """Events, snapshots and pages as text, each once, with the record it came in."""

    def __init__(self, case: "Case") -> None:
        self._texts: list[tuple[str, int]] = []
        seen = set[str]()
        for conn in case.conns:
            for sight in conn.events:
                data = sight.block.data
                if data not in seen:
                    seen.add(data)
                    self._texts.append((data, sight.n))
        for call in [*case.calls.by_f[F.INIT], *case.calls.by_f[F.HISTORY]]:
            if call.answer is not None and call.ok:
                self._texts.append((call.answer.body, call.done_n or call.n))
        self._joined = "\n".join(text for text, _ in self._texts)

    def of(self, *markers: str) -> int | None:
        """The first record that shows one of these; empty ones are none."""
        for marker in filter(None, markers):
            if marker in self._joined:
                return next(n for text, n in self._texts if marker in text)
        return None
