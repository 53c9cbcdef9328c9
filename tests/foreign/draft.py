"""What a message may say; anything else is refused."""

import re
import time

from tests.foreign.wire import Json, Refused, Request


def new_value(request: Request, *, at: int) -> Json:
    """The value of a new message."""
    fields = request.fields()
    value: Json = {"author": text_in(fields, "author", 1, 200), "createdAt": at}
    value["text"] = text_in(fields, "text", 1, 10_000)
    if "nonce" in fields:
        value["nonce"] = text_in(fields, "nonce", 0, 200)
    return value


def new_text(request: Request) -> str:
    """Another text for a message."""
    return text_in(request.fields(), "text", 1, 10_000)


def text_in(fields: Json, name: str, least: int, most: int) -> str:
    """A string of the body; half of a surrogate pair is no character."""
    value = fields.get(name)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise Refused(400, "bad-" + name, f"{name} has {least} to {most} characters")
    if any("\ud800" <= character < "\ue000" for character in value):
        raise Refused(400, "bad-" + name, f"{name} is no Unicode text")
    return value


def number_in(text: str, name: str) -> int:
    """A whole number of the query."""
    if not re.fullmatch("[0-9]{1,16}", text):
        raise Refused(400, "bad-" + name, f"{name} is a whole number")
    return int(text)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
