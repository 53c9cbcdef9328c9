"""What `log` and `private` have in common: uid, rate limit, operator, history."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.reference_server.driver import TOKEN, running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("profile", ["log", "private"]),
]

BODY = {"author": "ann", "text": "text"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


COOKIES = ["", "uid=", "uid=a b", "uid=é", f"uid={'a' * 65}", 'uid="ann"', "other=ann"]
COOKIES += ["uid=ann; uid=bob", "uid=ann%20", "Uid=ann", "uid=ann\n"]


@pytest.mark.parametrize("cookie", COOKIES)
async def test_no_uid(tmp_path: Path, profile: str, cookie: str) -> None:
    calls: list[tuple[str, str, Any]] = [
        *(("GET", "history", None), ("GET", "history?before=x", None)),
        *(("POST", "messages", BODY), ("POST", "messages", b"{")),
        *(("GET", "events", None), ("POST", "ping?id=x", None)),
    ]
    if profile == "private":
        calls += [("PATCH", "messages/1", BODY), ("DELETE", "messages/1", None)]
    async with running(tmp_path) as server:
        for method, path, body in calls:
            answer = await server.call(
                method, f"/{profile}/{path}", body, cookie=cookie
            )
            assert (answer.status, answer.json["error"]["code"]) == (401, "no_uid")
        service = server.service(profile)
        assert not service.channels.by_uid
        assert await asyncio.to_thread(service.chat.table.newest_created_at) == 0


async def test_uid_among_other_cookies(tmp_path: Path, profile: str) -> None:
    async with running(tmp_path) as server:
        for uid in ("ann", "A-_9" * 16):
            cookie = f"a=b; uid={uid};c=d; uid={uid}"
            answer = await server.call("GET", f"/{profile}/history", cookie=cookie)
            assert answer.status == 200


async def test_one_message_a_second(
    tmp_path: Path, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not stored does not count; another uid is not limited."""
    clock = Clock(monkeypatch)
    async with running(tmp_path) as server:
        ann, bob = server.user("ann", profile), server.user("bob", profile)
        stream = await ann.open()
        assert (await ann.call("POST", "messages", b"{")).status == 400
        answers = await asyncio.gather(*(ann.say(f"t{n}") for n in range(5)))
        assert sorted(each.status for each in answers) == [201, 429, 429, 429, 429]
        refused = next(each for each in answers if each.status == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json["error"]["code"] == "too_fast"
        assert (await bob.say()).status == 201
        clock.skip_s += 0.5
        assert (await ann.say()).status == 429
        clock.skip_s += 0.5
        assert (await ann.say("later")).status == 201
        await ann.hear("operators are not limited")
        await ann.hear("and count for nobody")
        await stream.until(lambda each: len(each.events) == 4)
        shown = (await ann.history())["messages"]
        assert [each["id"] for each in shown] == [each["id"] for each in stream.events]
        await stream.close()


class Clock:
    """The loop's clock, put forward by `skip_s`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.skip_s = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.skip_s)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        *((None, 401), ("", 401), (TOKEN, 401), ("Bearer", 401), ("Basic x", 401)),
        *((f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401), ("Bearer é", 401)),
        *((f"Bearer {TOKEN}", 201), (f"bearer {TOKEN}", 201)),
    ],
)
async def test_operator_token(
    tmp_path: Path, profile: str, header: str | None, status: int
) -> None:
    headers = {} if header is None else {"authorization": header}
    async with running(tmp_path) as server:
        path = f"/{profile}/operator/ann/messages"
        answer = await server.call("POST", path, BODY, cookie="uid=ann", **headers)
        assert answer.status == status
        stored = (await server.user("ann", profile).history())["messages"]
        assert len(stored) == (status == 201)


async def test_no_operator_without_a_token(tmp_path: Path, profile: str) -> None:
    async with running(tmp_path, operator_token=None) as server:
        path = f"/{profile}/operator/ann/messages"
        for token in ("", "Bearer ", "Bearer None"):
            answer = await server.call("POST", path, BODY, authorization=token)
            assert answer.status == 404


async def test_bad_input_of_operators(tmp_path: Path, profile: str) -> None:
    async with running(tmp_path) as server:
        token = {"authorization": f"Bearer {TOKEN}"}
        path = f"/{profile}/operator/{{}}/messages"
        for uid, body, status in (("a.b", BODY, 404), ("ann", b"{", 400)):
            answer = await server.call("POST", path.format(uid), body, **token)
            assert answer.status == status


async def test_all_tabs_and_nobody_else(tmp_path: Path, profile: str) -> None:
    async with running(tmp_path) as server:
        ann, bob = server.user("ann", profile), server.user("bob", profile)
        tabs, other = [await ann.open(), await ann.open()], await bob.open()
        said, heard = (await ann.say("one", nonce="n")).json, await ann.hear("two")
        for tab in tabs:
            await tab.until(lambda each: len(each.events) == 2)
            assert [event["value"] for event in tab.events] == [
                said["value"],
                heard["value"],
            ]
            assert tab.events == tabs[0].events
        mine = await bob.hear("three")
        await other.until(lambda each: len(each.events) == 1)
        assert other.events[0]["id"] == mine["id"]
        assert await bob.history(before=99) == {
            "messages": [mine],
            "more": False,
        }
        assert await bob.ping(tabs[0].connection_id) == 404
        assert await ann.ping(tabs[0].connection_id) == 204
        assert await server.ping(tabs[0].connection_id) == 404
        for stream in (*tabs, other):
            await stream.close()
        assert not server.service(profile).channels.by_uid


async def test_pages_of_200(tmp_path: Path, profile: str) -> None:
    async with running(tmp_path) as server:
        ann, bob = server.user("ann", profile), server.user("bob", profile)
        assert (await ann.history())["messages"] == []
        made: list[Any] = []
        for number in range(401):
            made += [await ann.hear(f"t{number}")]
            if number % 50 == 0:
                await bob.hear("between")
        page, sizes, read = await ann.history(), list[int](), list[Any]()
        while True:
            sizes.append(len(page["messages"]))
            read = page["messages"] + read
            if not page["more"]:
                break
            page = await ann.history(before=page["messages"][0]["id"])
            assert "cursor" not in page
        assert sizes == [200, 200, 1]
        assert read == made
        full = await ann.history(before=made[201]["id"])
        assert (len(full["messages"]), full["more"]) == (200, True)
        last = await ann.history(before=made[200]["id"])
        assert (len(last["messages"]), last["more"]) == (200, False)


@pytest.mark.parametrize("before", ["", "0", "-1", "x", "1.5", "9" * 19])
async def test_bad_before(tmp_path: Path, profile: str, before: str) -> None:
    async with running(tmp_path) as server:
        answer = await server.user("ann", profile).call(
            "GET", f"history?before={before}"
        )
        assert answer.status == 400


async def test_history_then_stream_is_gapless(tmp_path: Path, profile: str) -> None:
    """The snapshot's cursor, while others write: nothing missed, nothing repeated."""
    async with running(tmp_path) as server:
        ann = server.user("ann", profile)
        await ann.hear("first")
        writing = asyncio.create_task(ann.hears(30))
        for _ in range(10):
            page = await ann.history()
            stream = await ann.open(page["cursor"])
            head = page["messages"][-1]["id"]
            await stream.until(lambda each: len(each.events) >= 2)
            ids = [event["id"] for event in stream.events]
            assert ids == list(range(head + 1, head + 1 + len(ids)))
            await stream.close()
            if head > 20:
                break
        await writing
