"""What a request may say: every refusal is a `Refused`, never another exception.

Section 3: "author 1-200 characters, text 1-10,000, nonce up to 200"; characters are
Unicode code points.
"""

import json
import re
from typing import Any

from reference_server.core.message import Draft

AUTHOR = range(1, 201)
TEXT = range(1, 10_001)
NONCE = range(0, 201)

_MESSAGE_ID = re.compile(r"[1-9][0-9]{0,17}")
_TIME = re.compile(r"[0-9]{1,16}")


class Refused(Exception):
    """Bad input; `status` is a 4xx, `code` is for programs, the text for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, which must be UTF-8."""
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "bad_json", "the body is not a JSON object")
    return value


def read_string(fields: dict[str, Any], name: str, *, length: range) -> str:
    """The string `name` of `fields`; JSON's lone surrogates are no characters."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise Refused(422, "bad_value", f"{name} must be a string")
    if len(value) not in length:
        bounds = f"{length.start} to {length.stop - 1}"
        raise Refused(
            422, "bad_value", f"{name} has {len(value)} characters, not {bounds}"
        )
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Refused(422, "bad_value", f"{name} holds a lone surrogate")
    return value


def parse_draft(body: bytes) -> Draft:
    """The body of `POST /messages`; unknown fields are ignored."""
    fields = parse_object(body)
    return Draft(
        author=read_string(fields, "author", length=AUTHOR),
        text=read_string(fields, "text", length=TEXT),
        nonce=read_string(fields, "nonce", length=NONCE) if "nonce" in fields else None,
    )


def parse_patch(body: bytes) -> str:
    """The body of `PATCH /messages/{id}`: `{text}`."""
    return read_string(parse_object(body), "text", length=TEXT)


def parse_message_id(text: str) -> int | None:
    """A window id as it stands in a path, or None: then no message has it."""
    return int(text) if _MESSAGE_ID.fullmatch(text) else None


def parse_load_from(text: str | None) -> int:
    """`loadFrom`, milliseconds since 1970."""
    if text is None or not _TIME.fullmatch(text):
        raise Refused(400, "bad_query", "loadFrom must be milliseconds since 1970")
    return int(text)
