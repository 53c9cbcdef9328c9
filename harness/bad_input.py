"""Requests that must be refused (write/bad-input): one table for whoever sends them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from harness.client.body import Sending
from harness.core.profile import CHANGING, PERSONAL, WINDOWED, Profile
from harness.core.steps import BadKind
from harness.core.target import Profiled

MARK = b"MARK"
"""Stands for a text that is found again wherever it is stored or sent."""

_GOOD = {"author": "vandal", "text": "MARK", "nonce": "MARK"}
_JSON = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest:
    """One request; by `support` it is sent in the place of the support side."""

    kind: BadKind
    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    support: bool = False
    sending: Sending = Sending.WHOLE

    @property
    def label(self) -> str:
        """What is wrong with it, for people."""
        return f"{self.kind.replace('-', ' ')}{' by support' if self.support else ''}"


def kinds_of(profile: Profile) -> list[tuple[BadKind, bool]]:
    """What is bad input in a profile, and whether it comes by the support side."""
    own = [*_bodies(0), *_sendings(0), *_pages(profile), BadKind.NO_PING_ID]
    if profile in CHANGING:
        own += [*_patches(0), *_ids("")]
    support = [*_bodies(0), *_tokens("")] if profile in PERSONAL else []
    return [*((kind, False) for kind in own), *((kind, True) for kind in support)]


def bad_requests(
    profile: Profile, profiled: Profiled, *, uid: str, message_id: object
) -> list[BadRequest]:
    """All that there is; `message_id` is of a message that a patch could hit.

    Where message ids are not numbers, no word is a bad one.
    """
    kinds = set(kinds_of(profile))
    numbered = isinstance(message_id, int) or profile in WINDOWED
    if not numbered:
        kinds -= {(BadKind.BAD_PAGE, False), (BadKind.HALF_A_PAGE, False)}
    return [
        one
        for one in (
            *_messages(profiled, uid),
            *_changes(profiled, message_id),
            *_questions(profile, profiled),
        )
        if (one.kind, one.support) in kinds
    ]


def _messages(profiled: Profiled, uid: str) -> Iterator[BadRequest]:
    paths, size = profiled.paths, profiled.limits.max_body_bytes
    for kind, content in _bodies(size).items():
        yield BadRequest(
            kind=kind, method="POST", path=paths.messages, content=content,
            headers=_JSON,
        )  # fmt: skip
    for kind, (sending, content) in _sendings(size).items():
        yield BadRequest(
            kind=kind, method="POST", path=paths.messages, content=content,
            headers=_JSON, sending=sending,
        )  # fmt: skip
    if paths.operator:
        yield from _by_support(profiled, uid)


def _by_support(profiled: Profiled, uid: str) -> Iterator[BadRequest]:
    path = profiled.paths.operator.replace("{uid}", quote(uid, safe=""))
    token = profiled.operator_token
    shown = {"Authorization": f"Bearer {token}"} | _JSON
    bodies = _bodies(profiled.limits.max_body_bytes)
    for kind, content, headers in (
        *((kind, content, shown) for kind, content in bodies.items()),
        *((kind, _but(), given | _JSON) for kind, given in _tokens(token).items()),
    ):
        yield BadRequest(
            kind=kind,
            method="POST",
            path=path,
            content=content,
            headers=headers,
            support=True,
        )


def _changes(profiled: Profiled, message_id: object) -> Iterator[BadRequest]:
    path = profiled.paths.message
    good = quote(str(message_id), safe="")
    patches = _patches(profiled.limits.max_body_bytes)
    patch = b'{"text": "MARK"}'
    for kind, method, where, content in (
        *((kind, "PATCH", good, content) for kind, content in patches.items()),
        *((kind, method, where, patch) for kind, (method, where) in _ids(good).items()),
    ):
        yield BadRequest(
            kind=kind,
            method=method,
            path=path.replace("{id}", where),
            content=content if method == "PATCH" else b"",
            headers=_JSON,
        )


def _questions(profile: Profile, profiled: Profiled) -> Iterator[BadRequest]:
    for kind, query in _pages(profile).items():
        yield BadRequest(kind=kind, method="GET", path=profiled.paths.history + query)
    yield BadRequest(kind=BadKind.NO_PING_ID, method="POST", path=profiled.paths.ping)


def _but(**changes: Any) -> bytes:
    return msgspec.json.encode(_GOOD | changes)


def _without(name: str) -> bytes:
    return msgspec.json.encode({k: v for k, v in _GOOD.items() if k != name})


def _bodies(most_bytes: int) -> dict[BadKind, bytes]:
    """What no message can be made of; no body may be longer than `most_bytes`."""
    return {
        BadKind.NO_BODY: b"",
        BadKind.NO_JSON: MARK,
        BadKind.CUT_SHORT: b'{"author": "vandal", "text": "MARK',
        BadKind.JSON_AND_MORE: _but() + b" {}",
        BadKind.NOT_UTF8: b'{"author": "vandal", "text": "MARK\xff\xfe"}',
        BadKind.ARRAY: b'["MARK"]',
        BadKind.STRING: b'"MARK"',
        BadKind.NULL: b"null",
        BadKind.DEEP: b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        BadKind.NO_TEXT: _without("text"),
        BadKind.NO_AUTHOR: _without("author"),
        BadKind.WRONG_TYPE: _but(text=12),
        BadKind.NULL_TEXT: _but(text=None),
        BadKind.LIST_FOR_TEXT: _but(text=["MARK"]),
        BadKind.EMPTY_TEXT: _but(text=""),
        BadKind.TEXT_TOO_LONG: _but(text="MARK" + "x" * 10_000),
        BadKind.TEXT_ONE_TOO_LONG: _but(text="x" * 10_001),
        BadKind.NUMBER_FOR_AUTHOR: _but(author=7),
        BadKind.EMPTY_AUTHOR: _but(author=""),
        BadKind.AUTHOR_TOO_LONG: _but(author="a" * 201),
        BadKind.NUMBER_FOR_NONCE: _but(nonce=7),
        BadKind.NONCE_TOO_LONG: _but(nonce="MARK" + "n" * 200),
        BadKind.BODY_TOO_LARGE: _but(padding="p" * (most_bytes + 1)),
    }


def _sendings(most_bytes: int) -> dict[BadKind, tuple[Sending, bytes]]:
    """What goes out in a way that no message comes of."""
    large = _but(padding="p" * (most_bytes + 1))
    return {
        BadKind.UNSIZED_BODY: (Sending.UNSIZED, large),
        BadKind.HALF_A_BODY: (Sending.HALF, b'{"author": "vandal", "text": "MARK'),
    }


def _ids(good: str) -> dict[BadKind, tuple[str, str]]:
    """Method and id, as a path has it, of changes of what no message can be."""
    return {
        BadKind.PATCH_OF_A_WORD: ("PATCH", "abc"),
        BadKind.DELETE_OF_A_WORD: ("DELETE", "abc"),
        BadKind.PATCH_OF_MORE: ("PATCH", f"{good}abc"),
        BadKind.PATCH_OF_NO_UTF8: ("PATCH", "%FF"),
        BadKind.PATCH_OF_A_HUGE_NUMBER: ("PATCH", "9" * 40),
    }


def _patches(most_bytes: int) -> dict[BadKind, bytes]:
    """What no message can be changed to."""
    large = {"text": "MARK", "padding": "p" * (most_bytes + 1)}
    return {
        BadKind.PATCH_NO_JSON: b"{",
        BadKind.EMPTY_PATCH: b"{}",
        BadKind.BAD_PATCH: b'{"text": 5, "was": "MARK"}',
        BadKind.PATCH_EMPTY_TEXT: b'{"text": ""}',
        BadKind.PATCH_TEXT_TOO_LONG: b'{"text": "MARK' + b"x" * 10_001 + b'"}',
        BadKind.PATCH_ARRAY: b"[]",
        BadKind.PATCH_NOT_UTF8: b'{"text": "MARK\xff"}',
        BadKind.PATCH_TOO_LARGE: msgspec.json.encode(large),
    }


def _pages(profile: Profile) -> dict[BadKind, str]:
    """Queries that no page of the history answers."""
    if profile not in WINDOWED:
        return {
            BadKind.BAD_PAGE: "?before=yesterday",
            BadKind.HALF_A_PAGE: "?before=1.5",
        }
    return {
        BadKind.NO_PAGE: "",
        BadKind.BAD_PAGE: "?loadFrom=yesterday",
        BadKind.EMPTY_PAGE: "?loadFrom=",
        BadKind.HUGE_PAGE: f"?loadFrom={'9' * 400}",
    }


def _tokens(token: str) -> dict[BadKind, dict[str, str]]:
    """What the support side must not be let in with."""
    half = token[: len(token) // 2]
    return {
        BadKind.NO_TOKEN: {},
        BadKind.SCHEME_ALONE: {"Authorization": "Bearer"},
        BadKind.HALF_A_TOKEN: {"Authorization": f"Bearer {half}".strip()},
        BadKind.OTHER_TOKEN: {"Authorization": f"Bearer {token[::-1]}x"},
        BadKind.MORE_THAN_A_TOKEN: {"Authorization": f"Bearer {token}x"},
        BadKind.OTHER_SCHEME: {"Authorization": f"Basic {token}"},
    }
