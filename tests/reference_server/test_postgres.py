"""PostgreSQL: all profiles on it, away, back, silent, cut at a COMMIT."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_server import postgres
from tests.reference_server.cluster import INSTALL, Cluster, cluster, programs
from tests.reference_server.driver import Answer, Driver, User, running
from tests.reference_server.line import Line, Trouble, line
from tests.reference_server.process import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    """One for all tests of this file."""
    found = programs()
    if found is None:
        pytest.skip(INSTALL)
    with cluster(found) as made:
        yield made


@pytest.fixture
def database(shared_cluster: Cluster) -> Cluster:
    """Running and empty."""
    if not shared_cluster.is_running():
        shared_cluster.start()
    shared_cluster.empty()
    return shared_cluster


async def until_ready(server: Driver, timeout_s: float = 10) -> None:
    """/healthz answers 200."""
    async with asyncio.timeout(timeout_s):
        while (await server.call("GET", "/healthz")).status != 200:
            await asyncio.sleep(0.02)


async def post(server: Driver, profile: str, text: str = "text") -> Answer:
    """A message of a shared chat, whatever becomes of it."""
    body = {"author": "ann", "text": text}
    return await server.call("POST", f"/{profile}/messages", body)


async def test_every_profile_over_two_lives(tmp_path: Path, database: Cluster) -> None:
    async with running(tmp_path, database=database.url) as server:
        await server.posts(7)
        await server.call("PATCH", "/broadcast/messages/6", {"text": "\x00 é 😀"})
        await server.call("DELETE", "/broadcast/messages/5")
        before = await server.init()
        page = await server.call(
            "GET", f"/broadcast/history?loadFrom={before['oldest']}"
        )
        assert [each["value"]["text"] for each in page.json["messages"]] == [
            "text 0",
            "text 1",
        ]
        assert (await post(server, "naive")).status == 201
        log, private = server.user("ann", "log"), server.user("ann")
        await server.user("bob", "log").hear()
        heard = [await log.hear("\x00"), *await log.hears(2)]
        made = (await private.say("one", nonce="\x00")).json
        assert (await private.edit(made["id"], "two")).status == 200
        assert (await server.user("bob").edit(made["id"], "x")).status == 404
        chats = await log.history(), await private.history()
    async with running(tmp_path, database=database.url) as server:
        after = await server.init()
        values = [[each["value"] for each in of["messages"]] for of in (before, after)]
        assert values[0] == values[1][-4:]
        again = (
            await server.user("ann", "log").history(),
            await server.user("ann").history(),
        )
        assert again[0] == chats[0]
        assert again[1]["messages"] == chats[1]["messages"]
        stream = await server.user("ann", "log").open(str(heard[0]["id"]))
        await stream.until(lambda each: len(each.events) == 2)
        assert [each["id"] for each in stream.events] == [
            each["id"] for each in heard[1:]
        ]


async def test_away_and_back(tmp_path: Path, database: Cluster) -> None:
    """Not ready, /init answers, streams live on, no event, then all is well again."""
    async with running(tmp_path, database=database.url) as server:
        await server.posts(2)
        ann, log = server.user("ann"), server.user("ann", "log")
        await ann.say("one")
        before = await server.init()
        streams = [await server.open(), await ann.open(), await log.open()]
        database.stop()
        health = await server.call("GET", "/healthz")
        assert health.status == 503
        assert "refused" in health.json["error"]["message"]
        for answer in (
            await post(server, "broadcast"),
            await post(server, "naive"),
            await log.say(),
            await ann.edit(1),
            await ann.call("GET", "history"),
            await log.call("GET", "events"),
        ):
            assert (answer.status, answer.json["error"]["code"]) == (
                503,
                "store_unavailable",
            )
        assert await server.init() == before
        database.start()
        await until_ready(server)
        assert await server.init() == before
        assert (await post(server, "broadcast")).status == 201
        assert (await log.say()).status == 201
        assert (await ann.edit(1)).status == 200
        for stream in streams:
            await stream.until(lambda each: len(each.events) == 1)
        await ann.open()


async def test_started_before_its_database(tmp_path: Path, database: Cluster) -> None:
    async with running(tmp_path, database=database.url) as server:
        await server.posts(2)
        await server.user("ann").hear()
    database.stop()
    async with running(tmp_path, database=database.url) as server:
        ann = server.user("ann")
        for answer in (
            await server.call("GET", "/healthz"),
            await server.call("GET", "/broadcast/init"),
            await post(server, "broadcast"),
        ):
            assert (answer.status, answer.json["error"]["code"]) == (
                503,
                "store_unavailable",
            )
        stream = await server.open()
        database.start()
        await until_ready(server)
        assert len((await server.init())["messages"]) == 2
        await post(server, "broadcast")
        await stream.until(lambda each: len(each.events) == 1)
        assert stream.events[0]["id"] == 3
        assert len((await ann.history())["messages"]) == 1


@pytest.mark.parametrize(
    ("trouble", "is_stored"),
    [
        (Trouble.COMMIT_LOST, False),
        (Trouble.ANSWER_LOST, True),
        (Trouble.COMMIT_LATE, True),
    ],
)
async def test_outcome_unknown(
    tmp_path: Path, database: Cluster, trouble: Trouble, is_stored: bool
) -> None:
    """A 5xx; then database, caches, history and streams say one and the same."""
    async with (
        line(database.port) as (cable, port),
        running(tmp_path, database=database.url_at(port)) as server,
    ):
        await server.posts(2)
        ann, log = server.user("ann"), server.user("ann", "log")
        made = [await ann.hear(), await ann.hear()]
        for step in (
            lambda: post(server, "broadcast", "unsure"),
            lambda: server.call("PATCH", "/broadcast/messages/1", {"text": "unsure"}),
            lambda: server.call("DELETE", "/broadcast/messages/2"),
        ):
            stream = await server.open()
            await break_during(cable, trouble, step)
            assert (await post(server, "broadcast", "after")).status == 201
            await stream.until(lambda each: len(each.events) == 1 + is_stored)
            await same_after_restart(server, tmp_path, database)
            await stream.close()
        for step in (
            ann.say,
            lambda: ann.edit(made[0]["id"]),
            lambda: ann.delete(made[1]["id"]),
        ):
            stream = await ann.open()
            await break_during(cable, trouble, step)
            await ann.hear("after")
            await stream.until(lambda each: len(each.events) == 1 + is_stored)
            await stream.close()
        await log_agrees(log, cable, trouble, is_stored)


async def break_during(cable: Line, trouble: Trouble, step: Any) -> None:
    """The write meets the trouble at its COMMIT; the late ones arrive a while later."""
    cable.met.clear()
    cable.late.clear()
    cable.trouble = trouble
    answer = await step()
    assert answer.status == 503, answer
    assert cable.met.is_set()
    asyncio.get_running_loop().call_later(0.3, cable.late.set)


async def same_after_restart(server: Driver, folder: Path, database: Cluster) -> None:
    """What /init shows from memory is what another life reads from the database."""
    shown = await server.init()
    async with running(folder, database=database.url) as other:
        read = await other.init()
    values = [[each["value"] for each in of["messages"]] for of in (shown, read)]
    assert values[0] == values[1]
    assert shown.get("oldest") == read.get("oldest")


async def log_agrees(log: User, cable: Line, trouble: Trouble, is_stored: bool) -> None:
    """A stream from before, one from meanwhile and the history: the same messages."""
    await log.hear("first")
    before = await log.open("0")
    await break_during(cable, trouble, log.say)
    meanwhile = await log.open("0")
    await log.hear("after")
    shown = [each["id"] for each in (await log.history())["messages"]]
    assert len(shown) == 2 + is_stored
    for stream in (before, meanwhile):
        await stream.until(lambda each: len(each.events) >= len(shown))
        assert stream.seqs == shown


async def test_commit_of_a_killed_life(tmp_path: Path, database: Cluster) -> None:
    """The next life reads no window until its predecessor's last COMMIT is in."""
    async with (
        line(database.port) as (cable, port),
        running(tmp_path, database=database.url_at(port)) as server,
    ):
        await server.post("one")
        await break_during(
            cable, Trouble.COMMIT_LATE, lambda: post(server, "broadcast", "two")
        )
        async with running(tmp_path, database=database.url) as other:
            shown = (await other.init())["messages"]
            assert [each["value"]["text"] for each in shown] == ["one", "two"]


async def test_settles_without_another_write(tmp_path: Path, database: Cluster) -> None:
    async with (
        line(database.port) as (cable, port),
        running(tmp_path, database=database.url_at(port)) as server,
    ):
        stream = await server.open()
        await break_during(
            cable, Trouble.ANSWER_LOST, lambda: post(server, "broadcast", "unsure")
        )
        assert (await server.call("GET", "/healthz")).status in (200, 503)
        await stream.until(lambda each: len(each.events) == 1)
        await until_ready(server)
        assert (await server.init())["messages"][0]["value"]["text"] == "unsure"


async def test_silent_database(
    tmp_path: Path, database: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes bytes and answers none: a 503 in bounded time, and it mends itself."""
    monkeypatch.setattr(postgres, "ANSWER_TIMEOUT_S", 0.3)
    async with (
        line(database.port) as (cable, port),
        running(tmp_path, database=database.url_at(port)) as server,
    ):
        await server.post()
        cable.trouble = Trouble.SILENT
        started_s = time.monotonic()
        assert (await post(server, "broadcast")).status == 503
        assert time.monotonic() - started_s < 4
        assert (await server.call("GET", "/broadcast/init")).status == 200
        cable.trouble = Trouble.NONE
        await until_ready(server)
        assert (await post(server, "broadcast")).status == 201


async def test_as_a_program(tmp_path: Path, database: Cluster) -> None:
    """Without its database the program says why, once, and serves /healthz."""
    flags = ["--database", database.url, "--profiles", "broadcast"]
    with serving(tmp_path, *flags) as server:
        assert server.post("one").status_code == 201
        database.stop()
        assert server.http.get(f"{server.url}/healthz").status_code == 503
    with serving(tmp_path, *flags) as server:
        assert server.http.get(f"{server.url}/healthz").status_code == 503
        server.child.terminate()
        assert server.child.wait(10) == 0
        assert server.child.stderr
        told = server.child.stderr.read()
        assert len(told.splitlines()) == 1
        assert "not ready" in told
