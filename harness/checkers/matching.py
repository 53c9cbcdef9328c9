"""Which write an event tells of: creates by nonce, updates by text, deletes by id."""

from harness.checkers.calls import Call
from harness.checkers.sse import Block
from harness.core.history import F


class Matching:
    """Finds the write behind an event; texts and nonces are unique within a case."""

    def __init__(self, writes: list[Call]) -> None:
        self._nonces: dict[str, Call] = {}
        self._texts: dict[tuple[str, str], Call] = {}
        self._deletes: dict[str, list[Call]] = {}
        self._known: dict[tuple[int, Block], Call | None] = {}
        for call in writes:
            self._add(call)

    def _add(self, call: Call) -> None:
        invoke = call.invoke
        if invoke.f is F.DELETE:
            self._deletes.setdefault(invoke.about, []).append(call)
            return
        if invoke.text:
            self._texts.setdefault((invoke.f, invoke.text), call)
        if invoke.nonce and invoke.f is F.CREATE:
            self._nonces.setdefault(invoke.nonce, call)

    def write_of(self, block: Block, era: int) -> Call | None:
        """The write that this event of this era tells of; None when there is none."""
        key = (era, block)
        if key not in self._known:
            self._known[key] = self._find(block, era)
        return self._known[key]

    def _find(self, block: Block, era: int) -> Call | None:
        if block.kind == "delete":
            return self._delete(block.message_id, era)
        value = block.value
        nonce, text = value.get("nonce"), value.get("text")
        if block.kind == "create" and isinstance(nonce, str) and nonce in self._nonces:
            return self._nonces[nonce]
        if isinstance(text, str):
            return self._texts.get((block.kind, text))
        return None

    def _delete(self, message_id: str, era: int) -> Call | None:
        """Several may have asked for it: prefer who was told that it happened."""
        calls = [c for c in self._deletes.get(message_id, ()) if era in c.eras]
        return min(calls, key=lambda call: (not call.ok, call.failed), default=None)

    def deletes_of(self, message_id: str, era: int) -> list[Call]:
        """Every delete of a message id that this era can have carried out."""
        return [c for c in self._deletes.get(message_id, ()) if era in c.eras]
