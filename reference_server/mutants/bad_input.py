"""Mutants that refuse less than they must, where few look."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.core import validation
from reference_server.core.message import Draft
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalCalls
from reference_server.profiles.broadcast import BroadcastApi
from reference_server.profiles.private import PrivateApi
from reference_server.shared_chat import SharedCalls
from reference_server.web import answer, message_id, read_body

NO_LIMIT = 1 << 30


@mutant("patch-unlimited", "write/bad-input")
def patch_unlimited(parts: Components) -> Components:
    """PATCH does not look at the size of its body."""

    class Careless(SharedCalls):
        async def update(self, request: Request) -> ASGIApp:
            text = validation.parse_patch(await read_body(request, NO_LIMIT))
            item = await self.chat.update(message_id(request), text)
            return answer(item.wire())

    return replace(parts, shared_calls=Careless)


@mutant("patch-array-crashes", "write/bad-input")
def patch_array_crashes(parts: Components) -> Components:
    """PATCH with any JSON but an object is a 500."""

    class Careless(SharedCalls):
        async def update(self, request: Request) -> ASGIApp:
            try:
                found = json.loads(await request.body())
            except ValueError:
                found = {}
            found.get("text")
            return await super().update(request)

    return replace(parts, shared_calls=Careless)


@mutant("word-for-an-id-crashes", "write/bad-input", "naive")
def word_for_an_id_crashes(parts: Components) -> Components:
    """PATCH of an id that is no number is a 500."""

    class Careless(SharedCalls):
        async def update(self, request: Request) -> ASGIApp:
            int(request.path_params["id"])
            return await super().update(request)

    return replace(parts, shared_calls=Careless)


@mutant("one-too-long-taken", "write/bad-input")
def one_too_long_taken(parts: Components) -> Components:
    """A text that is one character too long is stored."""

    class Lenient(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            body = await read_body(request, self.max_body_bytes)
            try:
                draft = validation.parse_draft(body)
            except validation.Refused:
                draft = _one_too_long(body)
            return answer((await self.chat.create(draft)).wire(), 201)

    return replace(parts, shared_calls=Lenient)


def _one_too_long(body: bytes) -> Draft:
    """The draft if nothing else is wrong with it."""
    try:
        found = json.loads(body)
        text = found["text"]
        found["text"] = text[1:]
    except (ValueError, TypeError, KeyError):
        return validation.parse_draft(body)
    draft = validation.parse_draft(json.dumps(found).encode())
    return replace(draft, text=text)


@mutant("support-unchecked", "write/bad-input", "log")
def support_unchecked(parts: Components) -> Components:
    """The support's call trusts its body: what is missing is a 500, limits are none."""

    class Trusting(PersonalCalls):
        async def operate(self, request: Request) -> ASGIApp:
            self.check_token(request)
            found = json.loads(await request.body())
            draft = Draft(
                author=found["author"], text=found["text"], nonce=found.get("nonce")
            )
            item = await self.chat.operate(request.path_params["uid"], draft)
            return answer(item.wire(), 201)

    return replace(parts, personal_calls=Trusting)


@mutant("half-a-token-taken", "write/bad-input", "private")
def half_a_token_taken(parts: Components) -> Components:
    """Any beginning of the support's token is taken for it."""

    class Prefix(PersonalCalls):
        def check_token(self, request: Request) -> None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not (given and (self.operator_token or "").startswith(given)):
                super().check_token(request)

    return replace(parts, personal_calls=Prefix)


@mutant("more-than-a-token-taken", "write/bad-input", "log")
def more_than_a_token_taken(parts: Components) -> Components:
    """Whatever begins with the support's token is taken for it."""

    class Generous(PersonalCalls):
        def check_token(self, request: Request) -> None:
            given = request.headers.get("authorization", "")
            if not given.startswith(f"Bearer {self.operator_token}"):
                super().check_token(request)

    return replace(parts, personal_calls=Generous)


@mutant("path-not-utf8-crashes", "write/bad-input")
def path_not_utf8_crashes(parts: Components) -> Components:
    """An id whose escapes are no UTF-8 is a 500."""

    class Strict(SharedCalls):
        async def update(self, request: Request) -> ASGIApp:
            unquote_to_bytes(request.scope["raw_path"]).decode()
            return await super().update(request)

    return replace(parts, shared_calls=Strict)


@mutant("huge-id-crashes", "write/bad-input", "private")
def huge_id_crashes(parts: Components) -> Components:
    """PATCH of a number that is too large for the database is a 500."""

    class Careless(PrivateApi):
        async def update(self, request: Request) -> ASGIApp:
            uid, digits = self.personal.uid(request), request.path_params["id"]
            text = validation.parse_patch(
                await read_body(request, self.personal.max_body_bytes)
            )
            row = int(digits) if digits.isdecimal() else message_id(request)
            message = await self.service.chat.update(uid, row, text)
            return answer(message.wire())

    return replace(parts, private_api=Careless)


@mutant("what-follows-is-ignored", "write/bad-input")
def what_follows_is_ignored(parts: Components) -> Components:
    """Only the first JSON in a body is read."""

    class Lenient(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            body = await read_body(request, self.max_body_bytes)
            try:
                found, _ = json.JSONDecoder().raw_decode(body.decode())
            except ValueError:
                draft = validation.parse_draft(body)
            else:
                draft = validation.parse_draft(json.dumps(found).encode())
            return answer((await self.chat.create(draft)).wire(), 201)

    return replace(parts, shared_calls=Lenient)


@mutant("id-ends-with-its-digits", "write/bad-input", "naive")
def id_ends_with_its_digits(parts: Components) -> Components:
    """What follows the digits of an id in a path is ignored."""

    class Lenient(SharedCalls):
        async def update(self, request: Request) -> ASGIApp:
            given = request.path_params["id"]
            digits = "".join(takewhile(str.isdecimal, given))
            request.path_params["id"] = digits or given
            return await super().update(request)

    return replace(parts, shared_calls=Lenient)


@mutant("half-a-body-ends-streams", "write/bad-input")
def half_a_body_ends_streams(parts: Components) -> Components:
    """Who leaves in the middle of a body takes every stream along."""

    class Touchy(SharedCalls):
        upset: Callable[[], None] | None = None

        async def create(self, request: Request) -> ASGIApp:
            try:
                return await super().create(request)
            except ClientDisconnect:
                if self.upset is not None:
                    self.upset()
                raise

    class Upset(BroadcastApi):
        def routes(self) -> list[Route]:
            assert isinstance(self.shared, Touchy)
            self.shared.upset = self.service.streams.connections.end_all
            return super().routes()

    return replace(parts, shared_calls=Touchy, broadcast_api=Upset)


@mutant("unsized-unlimited", "write/bad-input")
def unsized_unlimited(parts: Components) -> Components:
    """Only a length that is told is held against the limit: a chunked body has none."""

    class Trusting(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            told = "content-length" in request.headers
            body = await read_body(request, self.max_body_bytes if told else NO_LIMIT)
            item = await self.chat.create(validation.parse_draft(body))
            return answer(item.wire(), 201)

    return replace(parts, shared_calls=Trusting)
