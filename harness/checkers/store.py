"""A chat as the server must hold it: all stored messages and what a snapshot shows.

Source: docs/protocol.md sections 1 to 3. A create on a full window pushes the oldest
message out; a deleted message leaves a gap and older ones do not come back. A personal
chat has no window: a snapshot shows the last of what is stored.
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
    windowed: bool = True
    stored: dict[str, Stored] = field(default_factory=dict)
    window: dict[str, Stored] = field(default_factory=dict)
    by_mid: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Chat":
        """A chat apart, message by message."""
        stored = {ident: replace(m) for ident, m in self.stored.items()}
        window = {ident: stored[ident] for ident in self.window}
        return Chat(self.limit, self.windowed, stored, window, dict(self.by_mid))

    def create(self, message: Stored) -> Stored | None:
        """Store a message; the one that it pushes out of the window, if any."""
        if message.ident in self.stored:
            return None
        self.stored[message.ident] = self.window[message.ident] = message
        if message.mid:
            self.by_mid[message.mid] = message.ident
        if not self.windowed or len(self.window) <= self.limit:
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
        """A new life: the window is the last `limit` stored messages, its ids anew.

        Without a window messages keep the ids that they have in the database.
        """
        self.by_mid.clear()
        for message in messages:
            message.mid = "" if self.windowed else message.mid
            if message.mid:
                self.by_mid[message.mid] = message.ident
        self.stored = {message.ident: message for message in messages}
        recent = messages[-self.limit :]
        self.window = {message.ident: message for message in recent}

    def reorder(self, messages: list[Stored]) -> None:
        """The same messages in another order."""
        window = self.window
        self.stored = {m.ident: m for m in messages}
        self.window = {m.ident: m for m in messages if m.ident in window}

    def shown(self) -> list[Stored]:
        """What a snapshot shows, oldest first."""
        if self.windowed:
            return list(self.window.values())
        return list(self.stored.values())[-self.limit :]

    def texts(self) -> list[Text]:
        """Author and text of what a snapshot shows, oldest first."""
        return [message.signature for message in self.shown()]
