"""The profile `private`: a record a uid, made at the first event, pruned by age."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reference_server.profiles import private
from tests.reference_server.driver import Stream, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_create_update_delete(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann = server.user("ann")
        stream = await ann.open()
        assert "id" not in stream.frames[0]
        made = (await ann.say("one", nonce="n")).json
        changed = (await ann.edit(made["id"], "two")).json
        assert (await ann.delete(made["id"])).status == 204
        await stream.until(lambda each: len(each.events) == 3)
        create, update, delete = stream.events
        assert create["value"] == made["value"]
        assert update["value"] == changed["value"]
        assert changed["value"]["updatedAt"] > made["value"]["createdAt"]
        assert (delete["kind"], delete["id"]) == ("delete", made["id"])
        assert stream.seqs == [1, 2, 3]
        assert (await ann.history())["messages"] == []


async def test_another_uids_message_is_unknown(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann, bob = server.user("ann"), server.user("bob")
        made = (await ann.say("mine")).json
        streams = [await ann.open(), await bob.open()]
        foreign = await bob.edit(made["id"]), await bob.delete(made["id"])
        unknown = await bob.edit(99), await bob.delete(99)
        for one, other in zip(foreign, unknown, strict=True):
            assert one.status == other.status == 404
            text = one.body.decode().replace(str(made["id"]), "99")
            assert text == other.body.decode()
        assert (await ann.history())["messages"] == [made]
        assert (await bob.history()) == {"messages": [], "more": False}
        assert list(server.service("private").records) == ["ann"]
        await ann.edit(made["id"])
        await streams[0].until(lambda each: len(each.events) == 1)
        assert streams[1].names == ["ping"]


async def test_record_at_first_event(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann, records = server.user("ann"), server.service("private").records
        await ann.open()
        assert "cursor" not in await ann.history()
        assert not records
        await ann.hear()
        assert list(records) == ["ann"]
        assert (await ann.history())["cursor"].endswith("-1")


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("{own}-4", "unknown"),
        ("{own}--1", "unknown"),
        ("x" * 5000, "unknown"),
        ("ÿ", "unknown"),
        ("other-1", "restarted"),
        ("{bob}-1", "evicted"),
    ],
)
@pytest.mark.parametrize("has_record", [True, False])
async def test_reset(
    tmp_path: Path, cursor: str, reason: str, has_record: bool
) -> None:
    async with running(tmp_path) as server:
        ann, bob = server.user("ann"), server.user("bob")
        service = server.service("private")
        await ann.hears(3)
        await bob.hear()
        own, other = (service.records[uid].log.epoch for uid in ("ann", "bob"))
        if not has_record:
            del service.records["ann"]
            reason = "evicted" if cursor == "{own}-4" else reason
        stream = await ann.open(cursor.format(own=own, bob=other))
        await stream.until(lambda each: each.ended)
        assert stream.names == ["ping", "reset"]
        assert f'"{reason}"' in stream.frames[1]["data"]


async def test_resume_joins_replay_and_live(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        ann = server.user("ann")
        await ann.hears(30)
        epoch = (await ann.history())["cursor"].rpartition("-")[0]
        stream = await ann.open(f"{epoch}-4")
        assert "id" not in stream.frames[0]
        await ann.hears(2)
        await stream.until(lambda each: len(each.events) == 28)
        assert stream.seqs == list(range(5, 33))


async def test_restart_resets(tmp_path: Path) -> None:
    """reset/restart-reused-ids: also once the new life has as many events."""
    async with running(tmp_path) as server:
        await server.user("ann").hears(2)
        cursor = (await server.user("ann").history())["cursor"]
    async with running(tmp_path) as server:
        ann = server.user("ann")
        for _ in range(2):
            stream = await ann.open(cursor)
            assert stream.names == ["ping", "reset"]
            assert '"restarted"' in stream.frames[1]["data"]
            await ann.hears(2)
        assert len((await ann.history())["messages"]) == 6


class Aged:
    """A server whose clock is put forward by hand, and one user's cursors."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.at_ms = 1000
        service.now_ms = lambda: self.at_ms

    def sweep(self, retention_ms: int) -> None:
        """As the task does."""
        self.service.sweep(self.at_ms - retention_ms)


async def test_prune_by_age(tmp_path: Path) -> None:
    """Older than the retention goes, of exactly that age stays."""
    async with running(tmp_path) as server:
        ann, aged = server.user("ann"), Aged(server.service("private"))
        for _ in range(3):
            await ann.hear()
            aged.at_ms += 100
        epoch = (await ann.history())["cursor"].rpartition("-")[0]
        aged.sweep(300)
        assert len(aged.service.records["ann"].log.entries) == 3
        aged.sweep(299)
        assert [entry.seq for entry in aged.service.records["ann"].log.entries] == [
            2,
            3,
        ]
        assert (await ann.open(f"{epoch}-0")).names == ["ping", "reset"]
        resumed = await ann.open(f"{epoch}-1")
        await resumed.until(lambda each: len(each.events) == 2)
        aged.sweep(0)
        assert not aged.service.records
        assert len((await ann.history())["messages"]) == 3


async def test_record_made_anew(tmp_path: Path) -> None:
    """reset/record-recreated: the same numbers, another epoch; open streams go on."""
    async with running(tmp_path) as server:
        ann, aged = server.user("ann"), Aged(server.service("private"))
        tab = await ann.open()
        await ann.hears(3)
        await tab.until(lambda each: len(each.events) == 3)
        stale = tab.events[1]["cursor"]
        aged.at_ms += 1000
        aged.sweep(1)
        gone = await ann.open(stale)
        assert gone.names == ["ping", "reset"]
        assert '"evicted"' in gone.frames[1]["data"]
        await ann.hears(3)
        await tab.until(lambda each: len(each.events) == 6)
        assert tab.seqs == [1, 2, 3, 1, 2, 3]
        again = await ann.open(stale)
        assert again.names == ["ping", "reset"]
        assert '"evicted"' in again.frames[1]["data"]


async def test_sweep_runs_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path, retention_ms=50, prune_every_ms=20) as server:
        await server.user("ann").hear()
        records = server.service("private").records
        assert records
        async with asyncio.timeout(5):
            while records:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("tries", [0, 3])
async def test_snapshot_is_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """The page and its cursor: as many messages as events, however fast they come."""
    monkeypatch.setattr(private, "SNAPSHOT_TRIES", tries)
    async with running(tmp_path) as server:
        ann = server.user("ann")
        await ann.hear()
        writing = asyncio.create_task(ann.hears(40))
        while not writing.done():
            page = await ann.history()
            assert page["cursor"].endswith(f"-{len(page['messages'])}")


async def test_bad_input_changes_nothing(tmp_path: Path) -> None:
    bad: list[tuple[str, str, Any, int]] = [
        *(("POST", "messages", b"{", 400), ("PATCH", "messages/1", {"text": ""}, 422)),
        *(
            ("PATCH", "messages/x", {"text": "x"}, 404),
            ("DELETE", "messages/99", 0, 404),
        ),
        *(("PUT", "messages/1", {"text": "x"}, 405), ("POST", "ping", 0, 400)),
        ("PATCH", "messages/1", b"x" * 70_000, 413),
    ]
    async with running(tmp_path) as server:
        ann = server.user("ann")
        await ann.hear()
        stream, before = await ann.open(), await ann.history()
        for method, path, body, status in bad:
            answer = await ann.call(method, path, body)
            assert (answer.status, set(answer.json["error"])) == (
                status,
                {"code", "message"},
            )
        assert await ann.history() == before
        await settle(stream)
        assert stream.names == ["ping"]


async def settle(stream: Stream) -> None:
    """What was queued is sent."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not stream.ended
