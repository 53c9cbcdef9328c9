"""Mutants of the profile `naive`."""

import asyncio
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.core.event_log import Kind
from reference_server.core.message import Json
from reference_server.mutants.registry import mutant
from reference_server.profiles.naive import Naive, NaiveApi
from reference_server.web import answer

LATE_S = 0.1


@mutant("naive-updates-late", "event/order", "naive")
def naive_updates_late(parts: Components) -> Components:
    """Updates are sent 100 ms late, after what was committed meanwhile."""

    class Late(Naive):
        def announce(self, kind: Kind, data: Json) -> None:
            if kind is not Kind.UPDATE:
                super().announce(kind, data)
                return
            send = super().announce
            asyncio.get_running_loop().call_later(LATE_S, send, kind, data)

    return replace(parts, naive=Late)


@mutant("naive-stale-init", "converge", "naive")
def naive_stale_init(parts: Components) -> Components:
    """Every second /init answers what the one before it did.

    By count, not by age: on both arms the same answers are stale.
    """

    class Stale(NaiveApi):
        kept: Json | None = None

        async def init(self, request: Request) -> ASGIApp:
            del request
            if self.kept is None:
                self.kept = self.service.chat.snapshot()
                return answer(self.kept)
            kept, self.kept = self.kept, None
            return answer(kept)

    return replace(parts, naive_api=Stale)


@mutant("naive-ninth-unsent", "event/no-loss", "naive")
def naive_ninth_unsent(parts: Components) -> Components:
    """Every ninth event is shown by /init but sent to nobody."""

    class Quiet(Naive):
        count = 0

        def announce(self, kind: Kind, data: Json) -> None:
            self.count += 1
            if self.count % 9:
                super().announce(kind, data)

    return replace(parts, naive=Quiet)
