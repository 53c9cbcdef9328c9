"""What a scenario sees: clients, writers, faults, the server's life, waiting, history.

No process, socket or toxiproxy shows through; the arm supplies those (`harness.arm`).
Longer than other files, for it is the one list of all that a scenario can ask for.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    nullcontext,
)
from http import HTTPStatus

from harness.aim import AIM_ATTEMPTS, Shot
from harness.arm import Bare, How, Network, Server, Storage
from harness.bad_input import MARK, BadRequest, bad_requests
from harness.client.calls import Completion, answer_json, cookie_of
from harness.client.client import EVENTS, Start, VirtualClient
from harness.client.stream import Attempt
from harness.core.errors import CouldNotRun, NotApplicable, Unreached
from harness.core.fault import Aim, Close, Fault, cut, refuse
from harness.core.history import View
from harness.core.limits import Load
from harness.core.nginx import Nginx
from harness.core.profile import CHANGING, PERSONAL, USER, WINDOWED, Profile
from harness.core.recorder import Recorder
from harness.core.target import Capability, Limits, Profiled, Tolerances
from harness.crowds import Crowds
from harness.meter import Meter
from harness.middlebox import Middlebox, Middleboxes
from harness.nemesis import Nemesis
from harness.pace import Pace
from harness.people import People
from harness.reach import Reach
from harness.sent import Sent, written
from harness.storage import StorageFaults
from harness.waiter import WAIT_S, Waiter
from harness.walk import by_id, by_time, walk_back

TRY_AGAIN_S = 0.1
"""Pause of a writer that was refused before it tries again."""

UID_CHARACTERS = 64
"""Section 3: "The uid cookie is 1-64 of `A-Z a-z 0-9 _ -`"."""

BAD_TRIES, TOO_SOON_S = 3, 1.1
"""Section 3: a message a second. A server may count bad input as messages, too."""


class World:
    """One case: one server, one history, any number of clients.

    In a personal profile each client is a tab of some user, who has a witness of their
    own; writers are the support side then, which no rate limit slows down.

    Waits are bounded: a condition that does not come about is noted in the history
    and ends the scenario; what the target did up to then is judged all the same.
    """

    def __init__(
        self,
        *,
        profile: str,
        profiled: Profiled,
        tolerances: Tolerances,
        retry_ms: int,
        network: Network,
        server: Server,
        storage: Storage | None = None,
        abilities: frozenset[Capability],
        recorder: Recorder,
        rng: random.Random,
        probes_lag: bool,
        salt: str = "",
        load: Load | None = None,
    ) -> None:
        self.profile = Profile(profile)
        self.limits: Limits = profiled.limits
        self.tolerances = tolerances
        self.load = load or Load()
        self._profiled = profiled
        self.paths = profiled.paths
        self.retry_ms = retry_ms
        self.rng = rng
        self._pace = Pace()
        self._server = server
        self._storage = storage
        self._abilities = abilities
        self._recorder = recorder
        self._reach = Reach(network, profiled.paths, recorder)
        self._waiter = Waiter(recorder, self._hopeless)
        self._people = People(
            profile=self.profile,
            profiled=profiled,
            reach=self._reach,
            recorder=recorder,
            rng=rng,
            retry_ms=retry_ms,
            salt=salt,
            live=self.live,
        )
        self.clients = self._people.clients
        self.crowds = Crowds(self._people, self._reach, self._waiter)
        self.meter = Meter(server, recorder)
        self._lag: asyncio.Task[None] | None = None
        if probes_lag:  # in virtual time nothing is late
            self._lag = asyncio.create_task(self._waiter.probe_lag(), name="lag probe")
        self._written = self._bad = self._walks = self._probes = 0
        self._acked: list[Sent] = []
        self._down_on_purpose = True
        self._nemesis = Nemesis(
            recorder=recorder,
            links=self._reach.links,
            server=server,
            until=self.until,
        )
        self._boxes = Middleboxes(network, nemesis=self._nemesis, recorder=recorder)

    @property
    def changes(self) -> bool:
        """Whether messages can be updated and deleted."""
        return self.profile in CHANGING

    # ---- clients ---------------------------------------------------------------------

    @property
    def witness(self) -> VirtualClient:
        """The client without faults, whose stream gives the commit order."""
        return self.witness_of(USER)

    def witness_of(self, label: str) -> VirtualClient:
        """The witness of a user's own channel, where each has one."""
        return self._people.witnesses[self.uid(label)]

    def uid(self, label: str = USER) -> str:
        """The cookie of a user, another in each case; "" where there are no users."""
        return self._people.uid(label)

    def longest_label(self) -> str:
        """The label of a user whose uid has all the 64 characters that it may have."""
        return "u" * (UID_CHARACTERS - len(self.uid("")))

    async def client(
        self,
        name: str,
        *,
        uid: str = USER,
        start: Start = Start.SNAPSHOT_FIRST,
        pings: bool = True,
        close: Close = Close.FIN,
        behind: Middlebox | None = None,
        bare: Bare | None = None,
    ) -> VirtualClient:
        """Open a tab, wait until it is live; with `close` RST its cuts are resets."""
        await self._people.witnessed(uid)
        client = self._people.make(
            name,
            label=uid,
            start=start,
            pings=pings,
            close=close,
            behind=behind,
            bare=bare,
        )
        client.open()
        await self.live(client)
        return client

    async def middlebox(self, nginx: Nginx) -> Middlebox:
        """Put an nginx before the server, for the clients opened `behind` it."""
        return await self._boxes.open(nginx)

    async def live(self, *clients: VirtualClient) -> None:
        """Wait until these clients have stream and snapshot."""
        names = ", ".join(one.name for one in clients)
        await self.until(lambda: all(one.live for one in clients), f"{names} live")

    async def probe(
        self,
        *,
        header: str | None = None,
        query: str | None = None,
        uid: str = USER,
        until_event: bool = False,
    ) -> None:
        """Ask once for the stream with this cursor, and watch what comes of it.

        Watches until the server ends the response, or long enough to tell silence;
        with `until_event` no longer than to the first create, update or delete.
        """
        self._probes += 1
        who = f"probe-{self._probes}"
        await self._people.witnessed(uid)
        attempt = Attempt(
            recorder=self._recorder,
            who=who,
            header=header,
            query=query,
            pings=False,
            uid=self.uid(uid),
        )
        streams = self._reach.way(who).streams
        try:
            async with (
                asyncio.timeout(self.tolerances.settle_ms / 1_000 + 1),
                aclosing(attempt.events(streams, self.paths.events)) as events,
            ):
                async for event in events:
                    if until_event and event.event in EVENTS:
                        return
        except TimeoutError:
            return

    # ---- writing and reading ---------------------------------------------------------

    def number(self) -> int:
        """The number of the next message, to make a text unique."""
        return self._written + 1

    async def write(
        self,
        text: str = "",
        *,
        by: VirtualClient | str = "writer",
        uid: str = USER,
        paced: bool = True,
        filled: bool = False,
    ) -> Sent:
        """Create a message; every text of a case is unique, so give none twice.

        By a client it is its user's own, in turn with the user's others unless not
        `paced`; else it is anybody's, or the support side's in the chat of `uid`.
        When `filled` its body is as large as the target allows.
        """
        self._written += 1
        nonce = f"n{self._written}"
        text = text or f"message {self._written}: naïve café ☕ 🙂"
        name = by if isinstance(by, str) else by.name
        calls = await self._people.calls(by, uid, supports=True)
        own = not isinstance(by, str) and self.profile in PERSONAL
        async with self._pace.turn(calls.uid) if own and paced else nullcontext():
            size = self.limits.max_body_bytes if filled else 0
            done = await calls.create(author=name, text=text, nonce=nonce, size=size)
        return self._keep(written(done, "create", uid=calls.uid, text=text))

    async def update(
        self,
        message_id: object,
        *,
        by: VirtualClient | str = "writer",
        uid: str = USER,
    ) -> Sent:
        """Change a message's text to another unique one."""
        self._must_change()
        self._written += 1
        text = f"changed {self._written}: größer ✎"
        calls = await self._people.calls(by, uid)
        done = await calls.update(message_id, text=text)
        return self._keep(
            written(done, "update", uid=calls.uid, message_id=message_id, text=text)
        )

    async def delete(
        self,
        message_id: object,
        *,
        by: VirtualClient | str = "writer",
        uid: str = USER,
    ) -> Sent:
        """Delete a message."""
        self._must_change()
        calls = await self._people.calls(by, uid)
        done = await calls.delete(message_id)
        return self._keep(written(done, "delete", uid=calls.uid, message_id=message_id))

    async def write_many(self, count: int, *, uid: str = USER) -> list[Sent]:
        """Create so many messages, one after the other."""
        return [await self.write(uid=uid) for _ in range(count)]

    async def insist(self) -> Sent:
        """Write until it is accepted, as somebody does whose write was refused."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WAIT_S
        while not (sent := await self.write()).acked:
            if loop.time() > until_s or self._hopeless():
                raise Unreached(f"no write was accepted within {WAIT_S:g} s")
            await asyncio.sleep(TRY_AGAIN_S)
        return sent

    @asynccontextmanager
    async def writing(
        self,
        count: int,
        *,
        writers: int = 3,
        uid: str = USER,
        every_s: float = 0.0,
    ) -> AsyncIterator[None]:
        """Create `count` messages from several writers at once, around a block.

        Each waits `every_s` after a message.
        """
        shares = [count // writers + (i < count % writers) for i in range(writers)]
        tasks = [
            asyncio.create_task(
                self._write_share(f"writer-{number}", share, uid, every_s)
            )
            for number, share in enumerate(shares, 1)
        ]
        try:
            yield
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def snapshot(
        self, reader: str = "reader", *, uid: str = USER
    ) -> dict[str, object]:
        """Load the snapshot once; empty when there was no good answer."""
        answer = answer_json(await (await self._people.calls(reader, uid)).init())
        return answer if isinstance(answer, dict) else {}

    async def read_all(self, reader: str = "reader", *, uid: str = USER) -> None:
        """Load the snapshot and page back through the history to the first message."""
        self._walks += 1
        number = self._walks
        snapshot = await self.snapshot(reader, uid=uid)
        await walk_back(
            await self._people.calls(reader, uid),
            snapshot.get("messages"),
            older=by_time if self.profile in WINDOWED else by_id,
            number=number,
        )

    async def page(self, before: object, *, uid: str = USER) -> None:
        """Ask once for the messages before this id, whoever's it is."""
        query = {"before": str(before)}
        await (await self._people.calls("reader", uid)).history(query, walk=0)

    async def ping(self, connection: str, *, uid: str = USER) -> Completion:
        """Ping a connection id by hand."""
        return await (await self._people.calls("pinger", uid)).ping(connection)

    def bad_requests(self, message_id: object) -> list[BadRequest]:
        """All that the server must refuse; the id is of a message that could be hit."""
        return bad_requests(
            self.profile, self._profiled, uid=self.uid(), message_id=message_id
        )

    async def send_bad(self, bad: BadRequest) -> None:
        """Send what the server must refuse, in no way to be stored or sent on.

        Who is told that it comes too soon says nothing else of it: it is sent again.
        """
        self._bad += 1
        marker = f"vandal-{self._bad}-"
        calls = await self._people.calls("vandal", USER)
        for _ in range(BAD_TRIES):
            done = await calls.bad_input(
                bad.label,
                bad.method,
                bad.path,
                content=bad.content.replace(MARK, marker.encode()),
                headers=bad.headers,
                marker=marker if MARK in bad.content else "",
                sending=bad.sending,
            )
            if self.profile in PERSONAL and bad.method == "POST":
                self._pace.spent(calls.uid)
            status = done.answer.status if done.answer is not None else 0
            if status != HTTPStatus.TOO_MANY_REQUESTS:
                return
            await asyncio.sleep(TOO_SOON_S)

    async def without_uid(
        self,
        label: str,
        method: str,
        path: str,
        *,
        cookie: str | None,
        content: bytes = b"",
        marker: str = "",
    ) -> None:
        """Ask for what needs a uid with this cookie for one; None sends no cookie."""
        headers = {"Content-Type": "application/json"} if content else {}
        if cookie is not None:
            headers["Cookie"] = cookie_of(cookie)
        await self._reach.calls("stranger").without_uid(
            label, method, path, content=content, headers=headers, marker=marker
        )

    # ---- faults and the server's life ------------------------------------------------

    @asynccontextmanager
    async def during(self, fault: Fault) -> AsyncIterator[None]:
        """Keep a fault up around a block; see its effect, then heal it.

        Begins when its victims are live, for most faults are of open connections.
        """
        await self.live(*(self.clients[name] for name in fault.whom))
        async with self._nemesis.during(fault):
            yield

    async def inject(self, fault: Fault) -> None:
        """Carry out a fault that needs nothing else to bite, such as a cut now."""
        async with self.during(fault):
            pass

    @asynccontextmanager
    async def away(self, client: VirtualClient) -> AsyncIterator[None]:
        """Keep a client cut off around a block, as behind a closed lid."""
        async with self.during(refuse(client)):
            await self.inject(cut(client, close=self._people.closes[client.name]))
            yield

    @asynccontextmanager
    async def asleep(self, *clients: VirtualClient) -> AsyncIterator[None]:
        """Close tabs around a block; unlike `away`, the server is told at once.

        The witness can sleep too: what it misses it must be told when it comes back.
        """
        for client in clients:
            await client.close()
        yield
        for client in clients:
            client.open()

    async def cut_inside(self, client: VirtualClient, aim: Aim) -> Sent:
        """Cut a client's stream at this place of the next event's frame.

        The first try is aimed with the frame of an earlier event; a miss is told from
        the bytes that came through, and the next try is corrected by it.
        """
        shot = Shot(aim, client.name, self._recorder.records)
        label = self._people.labels[client.name]
        for _ in range(AIM_ATTEMPTS):
            await self.live(client)
            await self.seen(await self.write(uid=label), client)
            after_bytes = shot.aimed()
            if after_bytes is None:
                raise NotApplicable(f"the frames of this target have no place {aim}")
            close = self._people.closes[client.name]
            aimed = cut(client, close=close, after_bytes=after_bytes, aim=aim)
            async with self.during(aimed):
                sent = await self.write(uid=label)
            if shot.hit():
                return sent
        raise CouldNotRun(f"no cut of {client.name} landed {aim}")

    async def stop(self, how: How = How.TERM) -> None:
        """End the server's process."""
        self._require(Capability.RESTART)
        self._down_on_purpose = True
        self._acked.clear()  # what this life still owes the witness ends with it
        await self._nemesis.end_life(how)

    async def start(self, *, other_port: bool = False, empty: bool = False) -> None:
        """Start the server, and wait until the witnesses are live on it."""
        await self._server.start(other_port=other_port, empty=empty)
        self._down_on_purpose = False
        await self._people.witnessed(USER)
        await self.live(*self._people.witnesses.values())

    async def restart(self, how: How = How.TERM, *, other_port: bool = False) -> None:
        """End the server and start it again on the same data."""
        if other_port:
            self._require(Capability.OTHER_PORT)
        await self.stop(how)
        await self.start(other_port=other_port)

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Freeze the server around a block (SIGSTOP, SIGCONT)."""
        self._require(Capability.FREEZE)
        return self._nemesis.paused()

    @property
    def storage(self) -> StorageFaults:
        """Faults of the database behind the target, where it declares one."""
        if self._storage is None:
            raise NotApplicable(
                "the target declares no [storage] that this arm has faults for"
            )
        return StorageFaults(self._nemesis, self._storage, self._reach)

    # ---- waiting ---------------------------------------------------------------------

    async def until(
        self, condition: Callable[[], bool], what: str, *, within_s: float = WAIT_S
    ) -> None:
        """Wait for a condition; `what` names it if it does not come about."""
        await self._waiter.until(condition, what, within_s=within_s)

    async def seen(self, sent: Sent, *clients: VirtualClient) -> None:
        """Wait until this write reached these clients."""
        names = ", ".join(one.name for one in clients)
        await self.until(
            lambda: all(one.knows(sent.event, sent.id, sent.text) for one in clients),
            f"{sent.says()} seen by {names}",
        )

    async def passes(self, seconds: float) -> None:
        """Let time itself do the work: for requirements that speak of durations."""
        await asyncio.sleep(seconds)

    async def outlasts(self, seconds: float, *, since: Sent | None = None) -> None:
        """Let so much time go by that nobody can doubt it, however late all runs.

        Counted from the answer to a write, if one is given.
        """
        since_s = since.done_s if since else None
        await self._waiter.outlasts(seconds, since_s=since_s)

    def converged(self) -> bool:
        """Whether the witnesses saw every write, and all clients show what they do."""
        return (
            all(
                self._people.witnesses[sent.uid].knows(
                    sent.event, sent.known_id, sent.text
                )
                for sent in self._acked
            )
            and self._people.agree()
        )

    # ---- end of a case ---------------------------------------------------------------

    async def settle(self) -> None:
        """Faults have ended: wait for everybody, then write down what each shows."""
        if self._down_on_purpose:
            await self.start()
        settle_s = self.tolerances.settle_ms / 1_000 + 1
        await self._waiter.comes_about(self.converged, settle_s)
        for client in self._people.running():
            messages = client.view.messages()
            self._recorder.add(View, who=client.name, messages=messages)
        for witness in self._people.witnesses.values():
            await witness.calls.init()

    async def aclose(self) -> None:
        """Close every tab, connection and task, and end the server."""
        try:
            # One after the other takes minutes where a crowd reconnects meanwhile.
            await asyncio.gather(*(one.close() for one in self.clients.values()))
            await self._reach.aclose()
        finally:
            if self._lag is not None:  # only now: being late at the end counts, too
                self._lag.cancel()
                await asyncio.gather(self._lag, return_exceptions=True)
            try:
                await self._boxes.aclose()
            finally:
                await self._server.aclose()

    def _hopeless(self) -> bool:
        """Raise harness trouble; True when the server died, or floods its clients."""
        for client in self.clients.values():
            if (error := client.trouble()) is not None:
                raise error
        self._boxes.check()
        if any(client.gave_up for client in self.clients.values()):
            return True
        return not (self._server.up or self._down_on_purpose)

    def _require(self, capability: Capability) -> None:
        if capability not in self._abilities:
            raise NotApplicable(
                f"the target does not offer {capability!s}: it is not declared in "
                "its capabilities, or the target runs already"
            )

    def _must_change(self) -> None:
        if not self.changes:
            raise ValueError(f"in profile {self.profile!s} nothing can be changed")

    def _keep(self, sent: Sent) -> Sent:
        if sent.acked:
            self._acked.append(sent)
        return sent

    async def _write_share(
        self, writer: str, count: int, uid: str, every_s: float
    ) -> None:
        for _ in range(count):
            await self.write(by=writer, uid=uid)
            await asyncio.sleep(every_s)
