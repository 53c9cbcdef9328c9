"""Plays a schedule in a world: a scenario like any other, on either arm.

A step that makes no sense where it stands - its client is not open, or is cut off by
an outer block - does what is left of it; it never ends the case. So every subset of a
schedule's steps is a schedule, which is what shrinking lives by.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from harness.arm import How
from harness.chaos import cuts
from harness.chaos.cast import Cast
from harness.chaos.known import Known
from harness.chaos.lasting import bite, bite_last, fault_of
from harness.client.client import VirtualClient
from harness.core.errors import NotApplicable
from harness.core.fault import FaultKind, refuse
from harness.core.profile import PERSONAL, RESETTING, USER
from harness.core.schedule import Schedule
from harness.core.steps import (
    Away,
    Bad,
    Burst,
    CursorKind,
    Cut,
    CutAt,
    CutNext,
    Delete,
    During,
    LoadSnapshot,
    Open,
    PageBack,
    Pause,
    Ping,
    Place,
    Probe,
    Restart,
    Step,
    Switch,
    TextKind,
    Update,
    Wait,
    Whose,
    Write,
)
from harness.sent import Sent
from harness.texts import TEXTS
from harness.world import World

BUDGET_S = 55.0
"""Steps left after so long are not begun: a case has 90 s, and must settle yet."""

RESUMED = (CursorKind.HEAD, CursorKind.OLD)

LOOK_S = 0.8
"""How long a probe that should be resumed is watched."""

FOREIGN_EVENTS = 2
"""So many events has the chat of a user who shows a cursor of somebody else."""

AFTER_PAUSE_S = 0.15
"""A server that slept past its ping limits hangs up on everybody when it wakes."""


async def play(world: World, schedule: Schedule) -> None:
    """A random case."""
    player = Player(world)
    for tab in schedule.clients:
        await player.cast.open(tab)
    await player.steps(schedule.steps)
    await player.finish()


class Player:
    """Carries steps out, one after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cast = Cast(world)
        self.known = Known(world.profile, world.limits.event_log_limit)
        self.bursts = 0
        self._clock = asyncio.get_running_loop().time
        self._until_s = self._clock() + BUDGET_S
        self._numbered = 0

    async def steps(self, steps: Sequence[Step]) -> None:
        """One after the other, as far as the time of a case goes."""
        for step in steps:
            if self._clock() > self._until_s:
                return
            self.learn()
            self.cast.note_connections()
            with suppress(NotApplicable):
                await self.step(step)

    async def finish(self) -> None:
        """All is healed: everybody comes back, and one more message is for all."""
        await self.tell(await self.cast.ready([c.name for c in self.cast.pinging()]))

    async def step(self, step: Step) -> None:
        """One step of any kind."""
        match step:
            case Write():
                await self._write(step)
            case Update() | Delete():
                await self._change(step)
            case Cut():
                clients = await self.cast.ready(step.whom)
                await cuts.cut_all(self, clients, step.after_bytes)
            case CutAt():
                await cuts.cut_at(self, step)
            case CutNext():
                await cuts.cut_next(self, step)
            case Switch():
                self._switch(step)
            case Open():
                await self.cast.open(step.tab)
            case PageBack():
                await self.world.read_all()
            case LoadSnapshot():
                await self.world.snapshot()
            case Probe():
                await self._probe(step)
            case Bad():
                await self._bad(step)
            case Ping():
                await self._ping(step)
            case Wait():
                await self.world.passes(step.ms / 1_000)
            case Pause():
                await self._pause(step)
            case Restart():
                await self.restart(step)
            case Burst():
                await self._burst(step)
            case Away():
                await self._away(step)
            case During():
                await self._during(step)

    # ---- writing and reading ---------------------------------------------------------

    async def write(
        self,
        *,
        by: VirtualClient | str = "writer",
        user: str = USER,
        letters: int = 0,
        kind: TextKind = TextKind.PLAIN,
    ) -> Sent:
        """One message, remembered; by a client, its user's own."""
        text = self._text(letters, kind)
        sent = await self.world.write(text, by=by, uid=user)
        if sent.acked and sent.uid == self.world.uid():
            self.known.wrote(sent.known_id)
        return sent

    def _text(self, letters: int, kind: TextKind) -> str:
        """Unique; an odd one has its end, or its beginning, for itself."""
        if not letters and kind is TextKind.PLAIN:
            return ""
        self._numbered += 1
        number = f"{self._numbered}:"
        if kind is TextKind.PLAIN:
            return f"long {number} ☕ ".ljust(letters, "x")
        odd = TEXTS[kind]
        return f"{number} {odd}" if self._numbered % 2 else f"{odd} {number}"

    async def tell(
        self, clients: Sequence[VirtualClient], *, letters: int = 0
    ) -> list[Sent]:
        """One message in each chat that these clients look at."""
        users = self.cast.users(clients)
        return [await self.write(user=user, letters=letters) for user in users]

    async def shown(
        self, messages: Iterable[Sent], clients: Iterable[VirtualClient]
    ) -> None:
        """Wait until these clients have what of their chats was acknowledged."""
        tabs = list(clients)
        for sent in messages:
            if sent.acked and sent.known_id is not None:
                theirs = [client for client in tabs if client.uid == sent.uid]
                await self.world.seen(sent, *theirs)

    def witnesses(self, clients: Sequence[VirtualClient]) -> list[VirtualClient]:
        """The witness of each chat that these clients look at."""
        return [self.world.witness_of(user) for user in self.cast.users(clients)]

    def learn(self) -> None:
        """Take in what the first user's witness shows."""
        witness = self.world.witness
        shown = [message.id for message in witness.view.messages()]
        self.known.learn(witness.cursor, shown)

    async def _write(self, step: Write) -> None:
        count = 1 if self.cast.mute(step.by) else step.count
        for _ in range(count):
            by = self._author(step.by)
            await self.write(by=by, letters=step.letters, kind=step.text)

    async def _change(self, step: Update | Delete) -> None:
        if not self.world.changes:
            return
        message_id, by = self.known.back(step.back), self._author(step.by)
        if isinstance(step, Update):
            await self.world.update(message_id, by=by)
            return
        times = 2 if step.twice else 1
        deletes = [self.world.delete(message_id, by=by) for _ in range(times)]
        await asyncio.gather(*deletes)

    def _author(self, name: str) -> VirtualClient | str:
        return self.cast.find(name) or "writer"

    async def _bad(self, step: Bad) -> None:
        if not self.known.ids and self.world.profile in PERSONAL:
            await self.write()  # its id tells what an id looks like
        for bad in self.world.bad_requests(self.known.back(0)):
            if (bad.kind, bad.support) == (step.kind, step.support):
                await self.world.send_bad(bad)

    async def _probe(self, step: Probe) -> None:
        for _ in range(self.known.lacking(step.cursor)):
            await self.shown([await self.write()], [self.world.witness])
            self.learn()
        cursor = self.known.cursor(step.cursor, step.variant)
        if not cursor:
            return
        if self.world.profile in RESETTING and step.user != USER:
            for _ in range(FOREIGN_EVENTS):  # a chat that the cursor could be one of
                await self.write(user=step.user)
        if step.cursor is CursorKind.EVICTED and not await self._swept():
            return
        header = cursor if step.place is not Place.QUERY else None
        query = cursor if step.place is Place.QUERY else None
        if step.place is Place.BOTH:
            query = self.known.cursor(CursorKind.HEAD, 0) or None
        resets = self.world.profile in RESETTING and step.cursor not in RESUMED
        with suppress(TimeoutError):
            async with asyncio.timeout(None if resets else LOOK_S):
                await self.world.probe(header=header, query=query, uid=step.user)

    async def _swept(self) -> bool:
        """Where events go by their age, time takes them away: unless it is too long."""
        limits, tolerances = self.world.limits, self.world.tolerances
        if not limits.retention_ms:
            return True
        late_ms = limits.prune_every_ms + tolerances.prune_ms
        gone_s = (limits.retention_ms + late_ms) / 1_000
        if self._clock() + gone_s > self._until_s:
            return False
        await self.world.outlasts(gone_s)
        return True

    async def _ping(self, step: Ping) -> None:
        known = {
            Whose.NOBODYS: "",
            Whose.CLOSED: self.cast.closed_id,
            Whose.OPEN: self.world.witness.connection_id,
        }[step.whose]
        connection = known or "no-such-connection"
        times = 2 if step.twice else 1
        pings = [self.world.ping(connection, uid=step.user) for _ in range(times)]
        await asyncio.gather(*pings)

    def _switch(self, step: Switch) -> None:
        client = self.cast.find(step.who)
        if client is not None and client.live:
            client.switch()

    # ---- the server's life -----------------------------------------------------------

    async def restart(self, step: Restart) -> None:
        """End a life and begin another, perhaps in the middle of a write."""
        writing = []
        if step.after_ms is not None:
            writing.append(asyncio.create_task(self.write(), name="write at the end"))
            await self.world.passes(step.after_ms / 1_000)
        try:
            await self._end_and_begin(step)
        finally:
            await asyncio.gather(*writing)

    async def _end_and_begin(self, step: Restart) -> None:
        self.learn()
        self.cast.server_ends()
        if step.other_port:
            await self.world.restart(How(step.how), other_port=True)
        else:
            await self.world.stop(How(step.how))
            await self.world.passes(step.down_ms / 1_000)
            await self.world.start()
        self.known.new_life()

    async def _pause(self, step: Pause) -> None:
        async with self.world.paused():
            await self.world.passes(step.ms / 1_000)
        await self.world.passes(AFTER_PAUSE_S)

    # ---- blocks ----------------------------------------------------------------------

    async def _burst(self, step: Burst) -> None:
        self.bursts += 1
        try:
            async with self.world.writing(step.count, writers=step.writers):
                await self.steps(step.steps)
        finally:
            self.bursts -= 1

    async def _away(self, step: Away) -> None:
        clients = await self.cast.ready(step.whom, FaultKind.REFUSE)
        if clients:
            await self.shown(await self.tell(clients), clients)
            with self.cast.holding(FaultKind.REFUSE, clients):
                async with self.world.during(refuse(*clients)):
                    await cuts.cut_all(self, clients)
                    await self._missed(step, clients)
        else:
            await self._missed(step, clients)

    async def _missed(self, step: Away, clients: Sequence[VirtualClient]) -> None:
        for _ in range(step.missed):
            await self.tell(clients, letters=step.letters)
        await self.steps(step.steps)

    async def _during(self, step: During) -> None:
        clients = await self.cast.ready(step.whom, step.fault)
        if not clients:
            await self.steps(step.steps)
            return
        fault = fault_of(step.fault, clients, step.amount)
        async with self.world.during(fault):
            with self.cast.holding(step.fault, clients):
                await bite(self, step.fault, clients)
                await self.steps(step.steps)
                await bite_last(self, step.fault, clients)
