"""Mutants of write/rate-limit."""

import asyncio
from dataclasses import replace

from reference_server.components import Components
from reference_server.core.message import Draft, Message
from reference_server.core.rate_limit import EVERY_S, RateLimit
from reference_server.core.validation import Refused
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalChat

SOME_S = 0.15


@mutant("no-rate-limit", "write/rate-limit", "log")
def no_rate_limit(parts: Components) -> Components:
    """Every message is accepted, however fast they come."""

    class Limitless(RateLimit):
        def note(self, uid: str, arrived_s: float) -> None:
            pass

    return replace(parts, rate_limit=Limitless)


@mutant("rate-limit-half-second", "write/rate-limit", "log")
def rate_limit_half_second(parts: Components) -> Components:
    """A second message is accepted after half a second."""

    class Short(RateLimit):
        def wait_s(self, uid: str, arrived_s: float) -> float:
            return max(0.0, super().wait_s(uid, arrived_s) - EVERY_S / 2)

    return replace(parts, rate_limit=Short)


@mutant("rate-limit-short", "write/rate-limit", "private")
def rate_limit_short(parts: Components) -> Components:
    """A second message is accepted after three quarters of a second."""

    class Short(RateLimit):
        def wait_s(self, uid: str, arrived_s: float) -> float:
            return max(0.0, super().wait_s(uid, arrived_s) - EVERY_S / 4)

    return replace(parts, rate_limit=Short)


@mutant("rate-limit-long", "write/rate-limit", "log")
def rate_limit_long(parts: Components) -> Components:
    """A second message is accepted only after a second and some."""

    class Long(RateLimit):
        def wait_s(self, uid: str, arrived_s: float) -> float:
            return super().wait_s(uid, arrived_s - SOME_S)

    return replace(parts, rate_limit=Long)


@mutant("support-starts-a-second", "write/rate-limit", "log")
def support_starts_a_second(parts: Components) -> Components:
    """What the support writes counts as the user's."""

    class Counting(PersonalChat):
        async def operate(self, uid: str, draft: Draft) -> Message:
            made = await super().operate(uid, draft)
            self.rate_limit.note(uid, asyncio.get_running_loop().time())
            return made

    return replace(parts, personal_chat=Counting)


@mutant("changes-start-a-second", "write/rate-limit", "private")
def changes_start_a_second(parts: Components) -> Components:
    """A changed message counts as a new one."""

    class Counting(PersonalChat):
        async def update(self, uid: str, message_id: int, text: str) -> Message:
            made = await super().update(uid, message_id, text)
            self.rate_limit.note(uid, asyncio.get_running_loop().time())
            return made

    return replace(parts, personal_chat=Counting)


@mutant("rate-limit-counts-refusals", "write/rate-limit", "log")
def rate_limit_counts_refusals(parts: Components) -> Components:
    """A refused message counts too: who keeps trying is never let in again."""

    class Strict(RateLimit):
        def wait_s(self, uid: str, arrived_s: float) -> float:
            wait_s = super().wait_s(uid, arrived_s)
            self.note(uid, arrived_s)
            return wait_s

    return replace(parts, rate_limit=Strict)


@mutant("rate-limit-without-retry-after", "write/rate-limit", "private")
def rate_limit_without_retry_after(parts: Components) -> Components:
    """The 429 lacks Retry-After."""

    class Curt(PersonalChat):
        def check_rate(self, uid: str, arrived_s: float) -> None:
            try:
                super().check_rate(uid, arrived_s)
            except Refused as refused:
                raise Refused(429, refused.code, refused.message) from None

    return replace(parts, personal_chat=Curt)


@mutant("rate-limit-race", "write/rate-limit", "private")
def rate_limit_race(parts: Components) -> Components:
    """Messages are counted after their commit but checked before their turn, so that
    parallel ones pass."""

    class Racing(PersonalChat):
        async def create(self, uid: str, draft: Draft, arrived_s: float) -> Message:
            super().check_rate(uid, arrived_s)
            return await super().create(uid, draft, arrived_s)

        def check_rate(self, uid: str, arrived_s: float) -> None:
            pass

    return replace(parts, personal_chat=Racing)


@mutant("rate-limit-stores", "write/rate-limit", "private")
def rate_limit_stores(parts: Components) -> Components:
    """A message that is answered with 429 is stored and sent all the same."""

    class Storing(PersonalChat):
        async def _create(
            self, uid: str, draft: Draft, arrived_s: float | None
        ) -> Message:
            try:
                return await super()._create(uid, draft, arrived_s)
            except Refused:
                await super()._create(uid, draft, None)
                raise

    return replace(parts, personal_chat=Storing)
