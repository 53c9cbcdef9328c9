"""The mutants of `naive`, `log` and `private`, each told from the clean server.

One table, so one long file.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.reference_server.driver import Answer, Driver, Stream, User, running
from tests.reference_server.probes import SHORT_S, Table, bites, into, settled
from tests.reference_server.test_mutants_bite import Away

pytestmark = pytest.mark.anyio

PROBES = Table()
probes = into(PROBES)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def say_at_once(user: User, count: int) -> list[Answer]:
    return await asyncio.gather(*(user.say(f"t{number}") for number in range(count)))


@probes("no-rate-limit", "rate-limit-half-second")
async def one_a_second(server: Driver) -> bool:
    user = server.user("ann", "log")
    await user.say()
    await asyncio.sleep(0.55)
    return (await user.say()).status == 429


@probes("rate-limit-counts-refusals")
async def refusals_do_not_count(server: Driver) -> bool:
    user = server.user("ann", "log")
    await user.say()
    await asyncio.sleep(0.5)
    await user.say()
    await asyncio.sleep(0.55)
    return (await user.say()).status == 201


@probes("rate-limit-race", "rate-limit-without-retry-after", "rate-limit-stores")
async def refused_at_once(server: Driver) -> bool:
    user = server.user("ann")
    answers = await say_at_once(user, 3)
    refused = [each for each in answers if each.status == 429]
    stored = (await user.history())["messages"]
    told = [each.headers.get("retry-after") for each in refused]
    return told == ["1", "1"] and len(stored) == 1


@probes("history-of-everybody")
async def own_history(server: Driver) -> bool:
    await server.user("bob").hear()
    return not (await server.user("ann").history(before=99))["messages"]


@probes("replay-of-everybody")
async def own_replay(server: Driver) -> bool:
    await server.user("bob", "log").hear()
    stream = await server.user("ann", "log").open("0")
    return (await settled(stream)).names == ["ping"]


@probes("events-to-everybody", "deletes-to-everybody")
async def own_events(server: Driver) -> bool:
    streams = []
    for profile in ("log", "private"):
        streams.append(await server.user("ann", profile).open())
        made = await server.user("bob", profile).hears(3)
        await server.user("bob", profile).delete(made[0]["id"])
    return [(await settled(each)).names for each in streams] == [["ping"], ["ping"]]


@probes(
    *("foreign-patch", "foreign-delete", "foreign-forbidden", "error-quotes-foreign")
)
async def own_changes(server: Driver) -> bool:
    made = await server.user("bob").hear("secret words")
    ann = server.user("ann")
    answers = [await ann.edit(made["id"]), await ann.delete(made["id"])]
    silent = not any(b"secret words" in each.body for each in answers)
    return silent and [each.status for each in answers] == [404, 404]


@probes("foreign-ping-accepted")
async def own_pings(server: Driver) -> bool:
    stream = await server.user("bob", "log").open()
    return await server.user("ann", "log").ping(stream.connection_id) == 404


@probes("history-without-uid", "events-without-uid", "ping-without-uid")
async def without_uid(server: Driver) -> bool:
    for method, call in (("GET", "history"), ("POST", "ping?id=x")):
        if (await server.call(method, f"/private/{call}")).status != 401:
            return False
    return (await server.stream("/log/events")).status == 401


@probes("odd-uids-accepted")
async def odd_uid(server: Driver) -> bool:
    cookie = f"uid={'a' * 65}"
    return (await server.call("GET", "/log/history", cookie=cookie)).status == 401


@probes("bad-body-before-uid")
async def uid_first(server: Driver) -> bool:
    return (await server.call("POST", "/private/messages", b"{")).status == 401


@probes("page-of-199", "more-at-exactly-200", "more-only-on-first-page")
async def page_size(server: Driver) -> bool:
    for profile in ("log", "private"):
        user = server.user("ann", profile)
        ids = [each["id"] for each in await user.hears(401)]
        page = await user.history(before=ids[201])
        last = await user.history(before=ids[200])
        full = [len(each["messages"]) for each in (page, last)] == [200, 200]
        if not full or [page["more"], last["more"]] != [True, False]:
            return False
    return True


@probes("before-inclusive", "before-by-count")
async def pages(server: Driver) -> bool:
    for profile in ("log", "private"):
        user = server.user("ann", profile)
        first = await user.hear()
        await server.user("bob", profile).hears(210)
        last = await user.hear()
        if (await user.history(before=last["id"]))["messages"] != [first]:
            return False
    return True


async def log_user(server: Driver, count: int) -> User:
    user = server.user("ann", "log")
    await user.hears(count)
    return user


@probes(
    *("log-replay-inclusive", "log-page-edge-lost", "log-replay-truncated"),
    "log-resets-far-behind",
)
async def log_replay(server: Driver) -> bool:
    user = await log_user(server, 45)
    stream = await settled(await user.open("2"), 0.3)
    return stream.seqs == list(range(3, 46))


@probes("log-own-message-at-head")
async def log_at_head(server: Driver) -> bool:
    user = await log_user(server, 3)
    return (await settled(await user.open("3"))).names == ["ping"]


@probes("log-resumed-ping-has-head")
async def log_ping_id(server: Driver) -> bool:
    user = await log_user(server, 3)
    return "id" not in (await user.open("1")).frames[0]


@probes("log-fifth-late")
async def log_order(server: Driver) -> bool:
    user = server.user("ann", "log")
    stream = await user.open()
    await user.hears(6)
    await settled(stream, 0.3)
    return stream.seqs == [1, 2, 3, 4, 5, 6]


@probes("log-replay-without-nonce")
async def log_payload(server: Driver) -> bool:
    user = server.user("ann", "log")
    live = await user.open()
    await user.hear(nonce="n")
    await live.events_within(1, 1)
    return (await settled(await user.open("0"))).events == live.events


@probes("log-refused-still-sent", "private-update-before-commit")
async def without_database(server: Driver) -> bool:
    log, private = server.user("ann", "log"), server.user("ann")
    made = await private.hear()
    streams = [await log.open(), await private.open()]
    engine = server.running.database.engine
    server.running.database.engine = Away()  # type: ignore[assignment]  # a fake
    await log.say()
    store = server.service("private").chat.store
    found = store.find
    server.running.database.engine = engine
    message = await asyncio.to_thread(found, "ann", made["id"])
    store.find = lambda *_: message
    server.running.database.engine = Away()  # type: ignore[assignment]  # a fake
    await private.edit(made["id"])
    quiet = [(await settled(each)).names == ["ping"] for each in streams]
    server.running.database.engine = engine
    return all(quiet)


@probes("log-late-commit")
async def stored(server: Driver) -> bool:
    await server.user("ann", "log").say()
    return len((await server.user("ann", "log").history())["messages"]) == 1


@probes("private-late-edit")
async def edited(server: Driver) -> bool:
    made = await server.user("ann").hear()
    await server.user("ann").edit(made["id"], "new")
    shown = (await server.user("ann").history())["messages"]
    return bool(shown[0]["value"]["text"] == "new")


@probes("newest-tab-only", "third-tab-silent")
async def all_tabs(server: Driver) -> bool:
    tabs = []
    for profile in ("log", "private"):
        user = server.user("ann", profile)
        tabs += [await user.open() for _ in range(3)]
        made = await user.hear()
        await user.edit(made["id"])
    counts = [len((await settled(each)).events) for each in tabs]
    return counts == [1, 1, 1, 2, 2, 2]


@probes("private-deletes-late")
async def private_order(server: Driver) -> bool:
    user = server.user("ann")
    stream = await user.open()
    made = await user.hear()
    await user.delete(made["id"])
    await user.hear()
    return (await settled(stream, 0.3)).seqs == [1, 2, 3]


@probes("private-phantom-update")
async def private_phantom(server: Driver) -> bool:
    stream = await server.user("ann").open()
    await server.user("ann").edit(7)
    return (await settled(stream)).names == ["ping"]


async def prune(server: Driver) -> None:
    """Everything older than now goes."""
    service = server.service("private")
    await asyncio.sleep(0.005)
    service.sweep(service.now_ms())


@probes("pruned-delete-silent")
async def delete_after_prune(server: Driver) -> bool:
    user = server.user("ann")
    stream, made = await user.open(), await user.hear()
    await prune(server)
    await user.delete(made["id"])
    return len((await settled(stream)).events) == 2


@probes("private-shows-later-text")
async def private_payload(server: Driver) -> bool:
    user = server.user("ann")
    live, made = await user.open(), await user.hear()
    await user.edit(made["id"])
    await live.events_within(2, 1)
    first = live.events[0]["cursor"].replace("-1", "-0")
    return (await settled(await user.open(first))).events == live.events


@probes("record-at-stream")
async def no_record(server: Driver) -> bool:
    user = server.user("ann")
    stream = await user.open()
    page = await user.history()
    return "id" not in stream.frames[0] and "cursor" not in page


@probes("never-pruned", "pruned-late", "newest-never-pruned")
async def pruned(server: Driver) -> bool:
    user = server.user("ann")
    await user.hears(2)
    await prune(server)
    return not server.service("private").records


@probes("pruned-early", "pruned-as-a-whole")
async def kept(server: Driver) -> bool:
    """Of two events the second is young."""
    user, service = server.user("ann"), server.service("private")
    await user.hear()
    await asyncio.sleep(0.01)
    limit_ms = service.now_ms()
    await asyncio.sleep(0.01)
    await user.hear()
    service.sweep(limit_ms)
    record = service.records.get("ann")
    return record is not None and len(record.log.entries) == 1


@probes("record-name-constant")
async def recreated(server: Driver) -> bool:
    user = server.user("ann")
    await user.hears(2)
    cursor = (await user.history())["cursor"]
    await prune(server)
    await user.hears(3)
    return (await settled(await user.open(cursor))).names == ["ping", "reset"]


@probes(
    *("pruned-record-goes-live", "earlier-record-goes-live"),
    "malformed-without-record-goes-live",
)
async def lost(server: Driver) -> bool:
    user = server.user("ann")
    await user.hear()
    cursors = [(await user.history())["cursor"], "other-1", "nonsense"]
    await prune(server)
    streams = [await settled(await user.open(each)) for each in cursors]
    return all(each.names == ["ping", "reset"] for each in streams)


@probes("foreign-cursor-accepted")
async def foreign_cursor(server: Driver) -> bool:
    ann, bob = server.user("ann"), server.user("bob")
    await ann.hears(2)
    await bob.hears(2)
    cursor = (await bob.history())["cursor"]
    return (await settled(await ann.open(cursor))).names == ["ping", "reset"]


@probes("fresh-reset-without-record")
async def fresh(server: Driver) -> bool:
    user = server.user("ann")
    await user.hear()
    await prune(server)
    return (await settled(await user.open())).names == ["ping"]


@probes("first-event-without-id", "first-event-not-sent", "private-logged-late")
async def first_event(server: Driver) -> bool:
    user = server.user("ann")
    stream = await user.open()
    await user.hear()
    events = await stream.events_within(1, SHORT_S)
    if not events or not events[0]["cursor"]:
        return False
    before = events[0]["cursor"].replace("-1", "-0")
    return (await settled(await user.open(before))).events == events


@probes("record-goes-with-resumed-tab")
async def back_again(server: Driver) -> bool:
    user = server.user("ann")
    stream = await user.open()
    await user.hear()
    cursor = (await stream.events_within(1, 1))[0]["cursor"]
    await stream.close()
    await (await user.open(cursor)).close()
    return (await settled(await user.open(cursor))).names == ["ping"]


@probes("history-cursor-too-new")
async def gapless(server: Driver) -> bool:
    user = server.user("ann")
    await user.hear()
    reading = asyncio.create_task(user.history())
    await asyncio.sleep(0.02)
    await user.hear()
    page = await reading
    return bool(page["cursor"].endswith(f"-{len(page['messages'])}"))


async def naive(server: Driver, method: str, path: str, body: Any = None) -> Answer:
    return await server.call(method, f"/naive/{path}", body)


@probes("naive-updates-late", "naive-ninth-unsent")
async def naive_order(server: Driver) -> bool:
    stream = await server.stream("/naive/events")
    body = {"author": "a", "text": "t"}
    await naive(server, "POST", "messages", body)
    await naive(server, "PATCH", "messages/1", body)
    for _ in range(8):
        await naive(server, "POST", "messages", body)
    kinds = [event["kind"] for event in (await settled(stream, 0.3)).events]
    return kinds == ["create", "update", *["create"] * 8]


@probes("naive-stale-init")
async def naive_init(server: Driver) -> bool:
    for number in range(6):
        message = {"author": "a", "text": f"text {number}"}
        await naive(server, "POST", "messages", message)
    shown = (await naive(server, "GET", "init")).json["messages"]
    return bool(shown[-1]["value"]["text"] == "text 5")


@probes("bad-before-crashes")
async def bad_before(server: Driver) -> bool:
    answer = await server.user("ann", "log").call("GET", "history?before=x")
    return answer.status == 400


@probes("personal-long-text")
async def long_text(server: Driver) -> bool:
    return (await server.user("ann").say("x" * 10_001)).status == 422


@probes("herd-refused")
async def herd(server: Driver) -> bool:
    streams = [await server.open() for _ in range(60)]
    return all(each.status == 200 for each in streams)


async def come_and_go(server: Driver) -> Stream:
    stream = await server.open()
    await stream.close()
    return stream


@probes("closed-leaves-memory")
async def no_task_left(server: Driver) -> bool:
    before = len(asyncio.all_tasks())
    for _ in range(3):
        await come_and_go(server)
    return len(asyncio.all_tasks()) == before


@probes("vanished-leave-files")
async def no_file_left(server: Driver) -> bool:
    await come_and_go(server)
    before = len(os.listdir("/proc/self/fd"))
    await come_and_go(server)
    return len(os.listdir("/proc/self/fd")) == before


@probes("silent-leave-files")
async def no_file_of_the_silent(server: Driver) -> bool:
    streams = [await server.open() for _ in range(3)]
    before = len(os.listdir("/proc/self/fd"))
    service = server.service("broadcast")
    service.streams.connections.sweep(asyncio.get_running_loop().time() + 3_600)
    for stream in streams:
        await stream.close()
    return len(os.listdir("/proc/self/fd")) == before


@probes("closed-stays-in-channel")
async def no_member_left(server: Driver) -> bool:
    await come_and_go(server)
    return not server.service("broadcast").channel.members


@probes("no-keepalive-over-http10")
async def keepalive_over_http10(server: Driver) -> bool:
    stream = Stream()
    scope = {
        **{"type": "http", "method": "GET", "path": "/broadcast/events"},
        **{"http_version": "1.0", "headers": [], "query_string": b"", "root_path": ""},
    }
    task = asyncio.create_task(
        server.app(scope, stream.receive, stream.send)  # type: ignore[arg-type]
    )
    await settled(stream, 0.22)
    stream.gone.set()
    await task
    return len([frame for frame in stream.frames if "" in frame]) >= 2


@pytest.mark.parametrize("name", PROBES)
async def test_mutant_bites(tmp_path: Path, name: str) -> None:
    assert await bites(tmp_path, name, PROBES[name])


RESTARTED = (
    *("log-this-life-only", "log-resets-earlier-life"),
    "private-epoch-constant",
)


async def over_two_lives(folder: Path, mutant: str | None) -> tuple[Any, list[str]]:
    """What a cursor of the first life gets in the second: from log, from private."""
    async with running(folder, mutant=mutant) as server:
        for profile in ("log", "private"):
            await server.user("ann", profile).hears(3)
        cursor = (await server.user("ann").history())["cursor"]
    async with running(folder, mutant=mutant) as server:
        for profile in ("log", "private"):
            await server.user("ann", profile).hears(4)
        log = await settled(await server.user("ann", "log").open("1"))
        private = await settled(await server.user("ann").open(cursor))
        return log.names[1:], private.names


@pytest.mark.parametrize("name", RESTARTED)
async def test_mutant_bites_after_a_restart(tmp_path: Path, name: str) -> None:
    clean = (["create"] * 6, ["ping", "reset"])
    assert await over_two_lives(tmp_path / "clean", None) == clean
    assert await over_two_lives(tmp_path / "mutant", name) != clean


def test_the_table_is_json() -> None:
    """What `--list-mutants` prints names a profile for each."""
    from reference_server.mutants import listing

    rows = [json.loads(line) for line in listing()]
    assert {row["profile"] for row in rows} == {"naive", "broadcast", "log", "private"}
