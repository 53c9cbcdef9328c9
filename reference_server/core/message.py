"""A chat message as it travels; the database id is not part of it."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a client asks to have stored."""

    author: str
    text: str
    nonce: str | None = None


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
