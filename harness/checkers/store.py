"""A chat as the server must hold it: all stored messages and the window over them.

Source: docs/protocol.md sections 1 to 3. A create on a full window pushes the oldest
message out; a deleted message leaves a gap and older ones do not come back.
"""

from dataclasses import dataclass, field, replace
from typing import Any

Text = tuple[Any, Any]


@dataclass(slots=True, eq=False)
class Stored:
    """One message; `ident` is its create's nonce or text and never changes.

    `mid` is its window id as text, "" while unknown; `floating` tells that its place
    among the others is not known from the order of events. `committed_s` bounds when
    it was stored, for one whose place no snapshot has shown either.
    """

    ident: str
    author: Any
    text: Any
    nonce: Any = None
    created_at: Any = None
    mid: str = ""
    floating: bool = False
    committed_s: tuple[float, float] | None = None

    @property
    def signature(self) -> Text:
        return self.author, self.text


@dataclass(slots=True)
class Chat:
    """Stored messages and window, oldest first; dicts keep their order."""

    limit: int
    stored: dict[str, Stored] = field(default_factory=dict)
    window: dict[str, Stored] = field(default_factory=dict)
    by_mid: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Chat":
        """A chat apart, message by message."""
        stored = {ident: replace(m) for ident, m in self.stored.items()}
        window = {ident: stored[ident] for ident in self.window}
        return Chat(self.limit, stored, window, dict(self.by_mid))

    def create(self, message: Stored) -> Stored | None:
        """Store a message; the one that it pushes out of the window, if any."""
        if message.ident in self.stored:
            return None
        self.stored[message.ident] = self.window[message.ident] = message
        if message.mid:
            self.by_mid[message.mid] = message.ident
        if len(self.window) <= self.limit:
            return None
        return self.window.pop(next(iter(self.window)))

    def update(self, ident: str, text: Any) -> bool:
        """Change a text; False when there is no such message."""
        message = self.stored.get(ident)
        if message is None:
            return False
        message.text = text
        return True

    def delete(self, ident: str) -> Stored | None:
        """Take a message away; older ones do not come back into the window."""
        self.window.pop(ident, None)
        return self.stored.pop(ident, None)

    def restart(self, messages: list[Stored]) -> None:
        """A new life: the window is the last `limit` stored messages, ids anew."""
        self.by_mid.clear()
        for message in messages:
            message.mid = ""
        self.stored = {message.ident: message for message in messages}
        recent = messages[-self.limit :]
        self.window = {message.ident: message for message in recent}

    def texts(self) -> list[Text]:
        """Author and text of the window, oldest first."""
        return [(m.author, m.text) for m in self.window.values()]
