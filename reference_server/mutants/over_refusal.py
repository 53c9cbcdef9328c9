"""Mutants that turn down what is good."""

from dataclasses import replace

from starlette.requests import Request

from reference_server.components import Components
from reference_server.core.message import Draft, Message
from reference_server.core.validation import TEXT, Refused
from reference_server.core.window import Item
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalCalls, PersonalChat
from reference_server.settings import Settings
from reference_server.shared_chat import SharedCalls, SharedChat

LONGEST = 63


@mutant("limit-in-bytes", "write/bad-input")
def limit_in_bytes(parts: Components) -> Components:
    """A text may have 10,000 bytes, not characters."""

    class Narrow(SharedChat):
        async def create(self, draft: Draft) -> Item:
            if len(draft.text.encode()) not in TEXT:
                raise Refused(422, "bad_value", "the text is too long")
            return await super().create(draft)

    return replace(parts, shared_chat=Narrow)


@mutant("largest-body-refused", "write/bad-input")
def largest_body_refused(parts: Components) -> Components:
    """A body may have a byte less than is told."""

    class Narrow(SharedCalls):
        def __init__(self, chat: SharedChat, settings: Settings) -> None:
            super().__init__(chat, settings)
            self.max_body_bytes -= 1

    return replace(parts, shared_calls=Narrow)


@mutant("longest-uid-refused", "write/bad-input", "private")
def longest_uid_refused(parts: Components) -> Components:
    """A uid of 64 characters counts as missing in calls."""

    class Narrow(PersonalCalls):
        def uid(self, request: Request) -> str:
            uid = super().uid(request)
            if len(uid) > LONGEST and request.method != "GET":
                raise Refused(401, "no_uid", "this call needs the cookie uid")
            return uid

    return replace(parts, personal_calls=Narrow)


@mutant("changes-refused", "write/interactive-only")
def changes_refused(parts: Components) -> Components:
    """No message can be changed or deleted."""

    class Fixed(SharedChat):
        def interactive(self, message_id: int) -> Item:
            raise _unknown(message_id)

    return replace(parts, shared_chat=Fixed)


@mutant("changed-only-once", "write/interactive-only", "naive")
def changed_only_once(parts: Components) -> Components:
    """What was changed before is fixed."""

    class Once(SharedChat):
        def interactive(self, message_id: int) -> Item:
            item = super().interactive(message_id)
            if item.value.updated_at is not None:
                raise _unknown(message_id)
            return item

    return replace(parts, shared_chat=Once)


@mutant("own-changes-refused", "write/bad-input", "private")
def own_changes_refused(parts: Components) -> Components:
    """A user can delete a message of theirs, and not change it."""

    class Fixed(PersonalChat):
        async def update(self, uid: str, message_id: int, text: str) -> Message:
            found = await self.owned(uid, message_id)
            if found.value.text != text:
                raise _unknown(message_id)
            return found

    return replace(parts, personal_chat=Fixed)


def _unknown(message_id: int) -> Refused:
    return Refused(404, "not_interactive", f"no message {message_id} to change")
