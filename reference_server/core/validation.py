"""What a request may say: every refusal is a `Refused`, never another exception.

Section 3: "author 1-200 characters, text 1-10,000, nonce up to 200"; characters are
Unicode code points.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reference_server.core.message import Draft

AUTHOR = range(1, 201)
TEXT = range(1, 10_001)
NONCE = range(0, 201)

_UID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MESSAGE_ID = re.compile(r"[1-9][0-9]{0,17}")
_TIME = re.compile(r"[0-9]{1,16}")


class Refused(Exception):
    """Bad input; `status` is a 4xx, `code` is for programs, the text for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


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
    """A message id as it stands in a path, or None: then no message has it."""
    return int(text) if _MESSAGE_ID.fullmatch(text) else None


def parse_load_from(text: str | None) -> int:
    """`loadFrom`, milliseconds since 1970."""
    if text is None or not _TIME.fullmatch(text):
        raise Refused(400, "bad_query", "loadFrom must be milliseconds since 1970")
    return int(text)


def parse_before(text: str | None) -> int | None:
    """`before`, the id of a message; None when it is not given."""
    if text is None:
        return None
    before = parse_message_id(text)
    if before is None:
        raise Refused(400, "bad_query", "before must be the id of a message")
    return before


def is_uid(text: str) -> bool:
    """Section 3: "The uid cookie is 1-64 of `A-Z a-z 0-9 _ -`"."""
    return _UID.fullmatch(text) is not None


def parse_uid(cookies: str) -> str:
    """The uid of a Cookie header; "anything else counts as missing".

    So do two different ones: there is no telling whose request it is.
    """
    pairs = (pair.strip(" \t").partition("=") for pair in cookies.split(";"))
    given = {value for name, _, value in pairs if name == "uid"}
    if len(given) == 1 and is_uid(uid := given.pop()):
        return uid
    raise Refused(401, "no_uid", "this call needs the cookie uid")
