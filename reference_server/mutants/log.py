"""Mutants of the profile `log`: of its replay from the database and its joining."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection as Transaction

from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.event_log import Entry, Kind
from reference_server.core.message import Draft, Json, Message, Value
from reference_server.core.resume import Reason
from reference_server.database import StoreUnavailableError
from reference_server.mutants.registry import mutant
from reference_server.personal_chat import PersonalChat
from reference_server.personal_store import Later, PersonalStore
from reference_server.profiles.log import Log, Replay, place_of
from reference_server.stream import Opening

COMMIT_DELAY_S = 0.3
JOIN_DELAY_S = 0.003
LATE_S = 0.1
SHORT_PAGE = 7
TRUNCATED = 10
FAR_BEHIND = 30


@mutant("log-replay-inclusive", "event/no-duplicate", "log")
def log_replay_inclusive(parts: Components) -> Components:
    """A replay that has messages begins with the cursor's own one."""

    class Inclusive(PersonalStore):
        def after(self, uid: str, place: int, size: int) -> Later:
            later = super().after(uid, place, size)
            own = self.find(uid, place) if later.messages else None
            return replace(later, messages=[*([own] if own else []), *later.messages])

    return replace(parts, personal_store=Inclusive)


@mutant("log-page-edge-lost", "event/no-loss", "log")
def log_page_edge_lost(parts: Components) -> Components:
    """A replay is read in pages of seven, and the first message of each page but the
    first is lost."""

    class Short(PersonalStore):
        def after(self, uid: str, place: int, size: int) -> Later:
            return super().after(uid, place, min(size, SHORT_PAGE))

    class Lossy(Replay):
        async def read(self) -> tuple[Entry, ...]:
            entries = await super().read()
            self.is_over = len(entries) < SHORT_PAGE
            return entries

        async def more(self) -> tuple[Entry, ...]:
            return (await super().more())[1:]

    return replace(parts, personal_store=Short, replay=Lossy)


@mutant("log-replay-truncated", "resume/within-log", "log")
def log_replay_truncated(parts: Components) -> Components:
    """A replay stops after ten messages and the stream goes live."""

    class Short(PersonalStore):
        def after(self, uid: str, place: int, size: int) -> Later:
            return super().after(uid, place, min(size, TRUNCATED))

    return replace(parts, personal_store=Short)


@mutant("log-own-message-at-head", "resume/at-head", "log")
def log_own_message_at_head(parts: Components) -> Components:
    """A client whose cursor is the newest message is sent that one again."""

    class Again(Replay):
        async def read(self) -> tuple[Entry, ...]:
            entries = await super().read()
            if entries or not self.place:
                return entries
            self.place -= 1
            return await super().read()

    return replace(parts, replay=Again)


@mutant("log-joins-late", "resume/replay-live-join", "log")
def log_joins_late(parts: Components) -> Components:
    """The connection joins the channel 3 ms after the database was read; what is
    committed in between is lost to it."""

    class Late(Log):
        async def opening(
            self, connection: Connection, uid: str, cursor: str | None
        ) -> Opening:
            if not cursor:
                return await super().opening(connection, uid, cursor)
            self.channels.by_uid[uid].leave(connection)
            opening = await super().opening(connection, uid, cursor)
            await asyncio.sleep(JOIN_DELAY_S)
            self.channels.join(uid, connection)
            return opening

    return replace(parts, log=Late)


@mutant("log-join-repeats", "resume/replay-live-join", "log")
def log_join_repeats(parts: Components) -> Components:
    """A message committed between the joining and the reading, 3 ms later, comes
    twice."""

    class Forgetful(Connection):
        def skip_to(self, seq: int) -> None:
            pass

    class Slow(Replay):
        async def read(self) -> tuple[Entry, ...]:
            await asyncio.sleep(JOIN_DELAY_S)
            return await super().read()

    return replace(parts, connection=Forgetful, replay=Slow)


class Remembering(PersonalChat):
    """Knows the newest time that the life before had given out."""

    started_ms = 0

    async def load(self) -> None:
        """At the start."""
        await super().load()
        self.started_ms = await asyncio.to_thread(self.table.newest_created_at)


@mutant("log-this-life-only", "resume/across-restart", "log")
def log_this_life_only(parts: Components) -> Components:
    """A reconnect is answered only with what this server life has stored."""

    class Short(Replay):
        async def read(self) -> tuple[Entry, ...]:
            entries = await super().read()
            chat = self.service.chat
            assert isinstance(chat, Remembering)
            return tuple(each for each in entries if _time(each) > chat.started_ms)

    return replace(parts, personal_chat=Remembering, replay=Short)


def _time(entry: Entry) -> int:
    created_at = entry.event.data["value"]["createdAt"]
    assert isinstance(created_at, int)
    return created_at


class Resetting(Log):
    """Resets some reconnects, which `log` never does."""

    async def is_lost(self, uid: str, place: int) -> bool:
        """Whether this one is."""
        raise NotImplementedError

    async def opening(
        self, connection: Connection, uid: str, cursor: str | None
    ) -> Opening:
        """Ping, then reset, then the end."""
        if not cursor or not await self.is_lost(uid, place_of(cursor)):
            return await super().opening(connection, uid, cursor)
        ping = self.streams.ping_frame(connection)
        reset = self.streams.frames.reset(Reason.RESTARTED)
        return Opening(connection=connection, ping=ping, reset=reset)


@mutant("log-resets-earlier-life", "resume/across-restart", "log")
def log_resets_earlier_life(parts: Components) -> Components:
    """A cursor of an earlier server life is reset."""

    class Forgetful(Resetting):
        async def is_lost(self, uid: str, place: int) -> bool:
            chat = self.chat
            assert isinstance(chat, Remembering)
            found = await asyncio.to_thread(chat.store.find, uid, place)
            return found is not None and found.value.created_at <= chat.started_ms

    return replace(parts, personal_chat=Remembering, log=Forgetful)


@mutant("log-resets-far-behind", "resume/no-needless-reset", "log")
def log_resets_far_behind(parts: Components) -> Components:
    """A reconnect that has missed more than thirty messages is reset."""

    class Lazy(Resetting):
        async def is_lost(self, uid: str, place: int) -> bool:
            size = FAR_BEHIND + 1
            later = await asyncio.to_thread(self.chat.store.after, uid, place, size)
            return len(later.messages) == size

    return replace(parts, log=Lazy)


@mutant("log-resumed-ping-has-head", "event/has-id", "log")
def log_resumed_ping_has_head(parts: Components) -> Components:
    """The ping frame of a resumed stream carries the head's id, past the replay."""

    class Hasty(Log):
        async def opening(
            self, connection: Connection, uid: str, cursor: str | None
        ) -> Opening:
            opening = await super().opening(connection, uid, cursor)
            if not opening.replay:
                return opening
            head = str(opening.replay[-1].seq)
            ping = self.streams.ping_frame(connection, cursor=head)
            return replace(opening, ping=ping)

    return replace(parts, log=Hasty)


@mutant("log-fifth-late", "event/order", "log")
def log_fifth_late(parts: Components) -> Components:
    """Every fifth message is sent 100 ms late, after its successors."""

    class Late(Log):
        def announce(self, uid: str, kind: Kind, data: Json) -> None:
            send: Callable[[], None] = lambda: Log.announce(self, uid, kind, data)  # noqa: E731 - a def would hide which announce is meant
            if data["id"] % 5:
                send()
            else:
                asyncio.get_running_loop().call_later(LATE_S, send)

    return replace(parts, log=Late)


@mutant("log-replay-without-nonce", "event/payload", "log")
def log_replay_without_nonce(parts: Components) -> Components:
    """Messages from the database lack the nonce that they had live."""

    class Plain(PersonalStore):
        def after(self, uid: str, place: int, size: int) -> Later:
            later = super().after(uid, place, size)
            return replace(later, messages=[_plain(each) for each in later.messages])

    return replace(parts, personal_store=Plain)


def _plain(message: Message) -> Message:
    return Message(message.id, replace(message.value, nonce=None))


@mutant("log-refused-still-sent", "write/before-broadcast", "log")
def log_refused_still_sent(parts: Components) -> Components:
    """A message that the database refused is sent all the same."""

    class Hasty(PersonalChat):
        last_row = 0

        def created(
            self, row: int, *, uid: str, value: Value, arrived_s: float | None
        ) -> Message:
            self.last_row = row
            return super().created(row, uid=uid, value=value, arrived_s=arrived_s)

        async def _create(
            self, uid: str, draft: Draft, arrived_s: float | None
        ) -> Message:
            try:
                return await super()._create(uid, draft, arrived_s)
            except StoreUnavailableError:
                value = draft.stamped(self.creation_clock.next_ms())
                message = Message(self.last_row + 1, value)
                self.announce(uid, Kind.CREATE, message.wire())
                raise

    return replace(parts, personal_chat=Hasty)


@mutant("log-late-commit", "write/durable", "log")
def log_late_commit(parts: Components) -> Components:
    """A message is acknowledged 300 ms before its COMMIT, or until the next write."""

    class Late(PersonalChat):
        held: Transaction | None = None

        async def _create(
            self, uid: str, draft: Draft, arrived_s: float | None
        ) -> Message:
            await self.finish()
            if arrived_s is not None:
                self.check_rate(uid, arrived_s)
            value = draft.stamped(self.creation_clock.next_ms())
            row = await asyncio.to_thread(self.begin, uid, value)
            loop = asyncio.get_running_loop()
            loop.call_later(COMMIT_DELAY_S, lambda: loop.create_task(self.finish()))
            return self.created(row, uid=uid, value=value, arrived_s=arrived_s)

        def begin(self, uid: str, value: Value) -> int:
            self.held = self.table.database.engine.connect()
            return self.table.insert_in(self.held, value, uid)

        async def finish(self) -> None:
            held, self.held = self.held, None
            if held is not None:
                await asyncio.to_thread(held.commit)
                await asyncio.to_thread(held.close)

    return replace(parts, personal_chat=Late)
