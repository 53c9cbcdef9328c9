"""Mutants of the profile `naive`."""

import asyncio
from collections import deque
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.core.event_log import Kind
from reference_server.core.message import Json
from reference_server.database import Database
from reference_server.mutants.registry import mutant
from reference_server.profiles.naive import Naive, NaiveApi
from reference_server.settings import Settings
from reference_server.web import answer

LATE_S = 0.1
BEHIND = 5


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
    """/init is five writes behind, whatever their pace: so on both arms alike."""

    class Lagging(Naive):
        def __init__(
            self, settings: Settings, parts: Components, database: Database
        ) -> None:
            super().__init__(settings, parts, database)
            self.states = deque[Json](maxlen=BEHIND + 1)

        def announce(self, kind: Kind, data: Json) -> None:
            super().announce(kind, data)
            self.states.append(self.chat.snapshot())

    class Stale(NaiveApi):
        async def init(self, request: Request) -> ASGIApp:
            assert isinstance(self.service, Lagging)
            states = self.service.states
            if len(states) <= BEHIND:
                return await super().init(request)
            return answer(states[0])

    return replace(parts, naive=Lagging, naive_api=Stale)


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
