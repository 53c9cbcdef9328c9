"""The order of a write, and what becomes of one whose outcome is unknown."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_server import writes
from reference_server.changes import Change
from reference_server.core.validation import Refused
from reference_server.database import StoreUnavailableError
from reference_server.writes import Writes
from tests.reference_server.driver import Answer, Driver, running

pytestmark = pytest.mark.anyio

Step = Callable[[Driver], Awaitable[Answer]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Trouble:
    """The next change of a profile's table fails, committed or not."""

    def __init__(self, server: Driver, profile: str, *, is_stored: bool) -> None:
        self.table = server.service(profile).chat.table
        self.is_stored = is_stored
        self.is_away = False
        for name in ("insert", "update", "delete"):
            setattr(self.table, name, self.failing(getattr(self.table, name)))
        for name in ("inserted", "value_of"):
            setattr(self.table, name, self.asking(getattr(self.table, name)))

    def failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any) -> Any:
            if self.is_stored:
                real(*args)
            raise StoreUnavailableError("the line is cut")

        return change

    def asking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any) -> Any:
            if self.is_away:
                raise StoreUnavailableError("away")
            return real(*args)

        return ask

    def mend(self) -> None:
        """The line works again."""
        for name in ("insert", "update", "delete", "inserted", "value_of"):
            delattr(self.table, name)


BODY = {"author": "ann", "text": "unsure"}
CALLS: list[tuple[str, str, Any]] = [
    *(("POST", "messages", BODY), ("PATCH", "messages/1", {"text": "unsure"})),
    ("DELETE", "messages/1", None),
]


CASES = [
    (profile, call)
    for profile in ("naive", "broadcast", "log", "private")
    for call in (CALLS[:1] if profile == "log" else CALLS)
]


@pytest.mark.parametrize(("profile", "call"), CASES)
@pytest.mark.parametrize("is_stored", [True, False])
async def test_unknown_outcome(
    tmp_path: Path, profile: str, call: tuple[str, str, Any], is_stored: bool
) -> None:
    method, path, body = call
    cookie = {"cookie": "uid=ann"}
    async with running(tmp_path) as server:
        first = await make(server, profile)
        stream = await server.stream(f"/{profile}/events", **cookie)
        trouble = Trouble(server, profile, is_stored=is_stored)
        answer = await server.call(method, f"/{profile}/{path}", body, **cookie)
        assert (answer.status, answer.json["error"]["code"]) == (
            503,
            "store_unavailable",
        )
        assert stream.names == ["ping"]
        trouble.mend()
        await make(server, profile)
        await stream.until(lambda each: len(each.events) == 1 + is_stored)
        kinds = {"POST": "create", "PATCH": "update", "DELETE": "delete"}
        expected = [kinds[method]] * is_stored + ["create"]
        assert [event["kind"] for event in stream.events] == expected
        shown = {each["id"]: each for each in await messages(server, profile)}
        assert shown == replayed([first], stream.events)


async def make(server: Driver, profile: str) -> Any:
    """A message without trouble."""
    if profile in ("log", "private"):
        return await server.user("ann", profile).hear()
    answer = await server.call("POST", f"/{profile}/messages", BODY)
    assert answer.status == 201
    return answer.json


async def messages(server: Driver, profile: str) -> Any:
    """The snapshot."""
    if profile in ("log", "private"):
        return (await server.user("ann", profile).history())["messages"]
    return (await server.call("GET", f"/{profile}/init")).json["messages"]


def replayed(before: list[Any], events: list[Any]) -> dict[int, Any]:
    """What a client shows after these events."""
    shown = {each["id"]: each for each in before}
    for event in events:
        if event["kind"] == "delete":
            del shown[event["id"]]
        else:
            shown[event["id"]] = {"id": event["id"], "value": event["value"]}
    return shown


async def test_settles_by_itself(tmp_path: Path) -> None:
    """No write comes; the event does."""
    async with running(tmp_path) as server:
        stream = await server.open()
        trouble = Trouble(server, "broadcast", is_stored=True)
        trouble.is_away = True
        assert (await server.call("POST", "/broadcast/messages", BODY)).status == 503
        health = await server.call("GET", "/healthz")
        assert health.status == 503
        assert "broadcast" in health.json["error"]["message"]
        assert (await server.init())["messages"] == []
        trouble.is_away = False
        await stream.until(lambda each: len(each.events) == 1)
        assert (await server.call("GET", "/healthz")).status == 200


async def test_refused_as_long_as_unsettled(tmp_path: Path) -> None:
    """No write overtakes one whose outcome is unknown; reading goes on."""
    async with running(tmp_path) as server:
        stream = await server.open()
        trouble = Trouble(server, "broadcast", is_stored=True)
        trouble.is_away = True
        for _ in range(3):
            answer = await server.call("POST", "/broadcast/messages", BODY)
            assert answer.status == 503
        trouble.is_away = False
        trouble.mend()
        await server.post("next")
        await stream.until(lambda each: len(each.events) == 2)
        texts = [event["value"]["text"] for event in stream.events]
        assert texts == ["unsure", "next"]


async def test_message_that_was_stored_after_all_counts(tmp_path: Path) -> None:
    """write/rate-limit: stored is stored, whatever its caller was told."""
    for is_stored, status in ((True, 429), (False, 201)):
        async with running(tmp_path / str(is_stored)) as server:
            ann = server.user("ann")
            trouble = Trouble(server, "private", is_stored=is_stored)
            assert (await ann.say()).status == 503
            trouble.mend()
            assert (await ann.say()).status == status


async def nothing() -> None:
    """No debt."""


def change(commit: Callable[[], None]) -> Change[None, None]:
    return Change(commit=commit, outcome=lambda: None, apply=lambda _: None)


async def test_cancelled_request_keeps_its_commit() -> None:
    """The task of the request goes, the write goes on."""
    made: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()
    queue = Writes(nothing)

    async def step() -> None:
        started.set()
        await go_on.wait()
        await queue.make(change(lambda: made.append("commit")))

    request = asyncio.create_task(queue.run(step))
    await started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    go_on.set()
    await queue.close()
    assert made == ["commit"]


async def test_turn_does_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "TURN_TIMEOUT_S", 0.05)
    queue = Writes(nothing)
    async with queue.turn():
        with pytest.raises(StoreUnavailableError, match="busy"):
            await queue.open()
    await queue.open()


async def test_who_waited_for_a_silent_database_is_told_at_once() -> None:
    """Ten writers wait for the database as long as one does, not ten times as long."""
    asked = 0

    async def debt() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        raise StoreUnavailableError("silent")

    queue = Writes(debt)
    results = await asyncio.gather(
        *(queue.open() for _ in range(10)), return_exceptions=True
    )
    assert all(isinstance(each, StoreUnavailableError) for each in results)
    assert asked == 1
    with pytest.raises(StoreUnavailableError):
        await queue.open()
    assert asked == 2


async def test_closed_queue_refuses() -> None:
    queue = Writes(nothing)
    await queue.close()
    with pytest.raises(Refused) as caught:
        await queue.open()
    assert caught.value.status == 503
