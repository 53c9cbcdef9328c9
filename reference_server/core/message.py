"""A chat message as it travels."""

from dataclasses import dataclass, replace
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Section 3: `{author, text, createdAt, updatedAt?, nonce?}`; times are ms."""

    author: str
    text: str
    created_at: int
    updated_at: int | None = None
    nonce: str | None = None

    def wire(self) -> Json:
        """The JSON object of this value; optional fields are left out, not null."""
        wire: Json = {
            "author": self.author,
            "text": self.text,
            "createdAt": self.created_at,
        }
        if self.updated_at is not None:
            wire["updatedAt"] = self.updated_at
        if self.nonce is not None:
            wire["nonce"] = self.nonce
        return wire

    def edited(self, text: str, now_ms: int) -> Self:
        """With another text; updatedAt rises, so that no two versions are equal."""
        before_ms = self.updated_at or self.created_at
        return replace(self, text=text, updated_at=max(now_ms, before_ms + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a client asks to have stored."""

    author: str
    text: str
    nonce: str | None = None

    def stamped(self, created_at: int) -> Value:
        """The value that is stored."""
        return Value(
            author=self.author,
            text=self.text,
            created_at=created_at,
            nonce=self.nonce,
        )


@dataclass(frozen=True, slots=True)
class Message:
    """Section 3: "A message is `{id, value}` everywhere"; `id` says whose id it is.

    In the database it is the database's; clients see that one in personal chats only.
    """

    id: int
    value: Value

    def wire(self) -> Json:
        """The JSON object of this message."""
        return {"id": self.id, "value": self.value.wire()}
