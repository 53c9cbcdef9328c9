"""Requests that must be refused: one for each kind of wrongness that a step names."""

from dataclasses import dataclass
from typing import Any

import msgspec

from harness.chaos.profiles import WITHOUT
from harness.core.errors import NotApplicable
from harness.core.profile import WINDOWED, Profile
from harness.core.steps import BadKind
from harness.core.target import Limits, Paths

_GOOD = {"author": "vandal", "text": "MARK", "nonce": "MARK"}
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request as `World.send_bad` takes it; `marker` may never show up anywhere."""

    label: str
    method: str
    path: str
    content: bytes
    headers: dict[str, str]
    marker: str


def bad_request(
    kind: BadKind,
    *,
    profile: Profile,
    paths: Paths,
    limits: Limits,
    message_id: object,
    marker: str,
) -> BadRequest:
    """The request of a kind; `message_id` is of a message that a patch could hit.

    Raises `NotApplicable` for what is not wrong in this profile.
    """
    if kind in WITHOUT[profile].bad:
        raise NotApplicable(f"{kind!s} is no bad input of profile {profile!s}")
    body = _bodies(limits.max_body_bytes).get(kind)
    if body is not None:
        content = body.replace(b"MARK", marker.encode())
        return BadRequest(kind, "POST", paths.messages, content, _JSON, marker)
    method, path, content = _others(profile, paths, message_id)[kind]
    content = content.replace(b"MARK", marker.encode())
    return BadRequest(kind, method, path, content, _JSON, marker)


def _but(**changes: Any) -> bytes:
    return msgspec.json.encode(_GOOD | changes)


def _without(name: str) -> bytes:
    return msgspec.json.encode({k: v for k, v in _GOOD.items() if k != name})


def _bodies(most_bytes: int) -> dict[BadKind, bytes]:
    return {
        BadKind.NO_BODY: b"",
        BadKind.NO_JSON: b"MARK",
        BadKind.CUT_SHORT: b'{"author": "vandal", "text": "MARK',
        BadKind.NOT_UTF8: b'{"author": "vandal", "text": "MARK\xff\xfe"}',
        BadKind.ARRAY: b'["MARK"]',
        BadKind.DEEP: b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        BadKind.NO_TEXT: _without("text"),
        BadKind.NO_AUTHOR: _without("author"),
        BadKind.WRONG_TYPE: _but(text=12),
        BadKind.EMPTY_TEXT: _but(text=""),
        BadKind.TEXT_TOO_LONG: _but(text="MARK" + "x" * 10_000),
        BadKind.AUTHOR_TOO_LONG: _but(author="a" * 201),
        BadKind.NONCE_TOO_LONG: _but(nonce="MARK" + "n" * 200),
        BadKind.BODY_TOO_LARGE: _but(padding="p" * (most_bytes + 1)),
    }


def _others(
    profile: Profile, paths: Paths, message_id: object
) -> dict[BadKind, tuple[str, str, bytes]]:
    message = paths.message.replace("{id}", str(message_id))
    since = "loadFrom" if profile in WINDOWED else "before"
    return {
        BadKind.BAD_PATCH: ("PATCH", message, b'{"text": 5, "was": "MARK"}'),
        BadKind.EMPTY_PATCH: ("PATCH", message, b"{}"),
        BadKind.BAD_PAGE: ("GET", f"{paths.history}?{since}=yesterday", b""),
        BadKind.NO_PAGE: ("GET", paths.history, b""),
        BadKind.NO_PING_ID: ("POST", paths.ping, b""),
    }
