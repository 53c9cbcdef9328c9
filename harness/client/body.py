"""How the body of a request goes out: at once, in pieces, or not to its end."""

from collections.abc import AsyncIterator
from enum import Enum, auto


class Sending(Enum):
    """A `HALF` body is told to be twice as long as what comes; then the sender leaves.

    The length of an `UNSIZED` one is not told beforehand: it is sent chunked.
    """

    WHOLE = auto()
    UNSIZED = auto()
    HALF = auto()


class LeftError(Exception):
    """The sender left on purpose, in the middle of a body."""


def body_of(
    content: bytes, sending: Sending
) -> tuple[bytes | AsyncIterator[bytes], dict[str, str]]:
    """What httpx sends, and the headers that it must be told."""
    if sending is Sending.WHOLE:
        return content, {}
    if sending is Sending.UNSIZED:
        return _chunked(content), {}
    return _half(content), {"Content-Length": str(2 * len(content))}


async def _chunked(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _half(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise LeftError
