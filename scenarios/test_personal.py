"""Personal chats: nobody without a uid, nobody in another's chat, everybody's tabs."""

import asyncio

import msgspec
import pytest

from harness.core.fault import cut
from harness.world import World
from scenarios.requirements import PERSONAL, PRIVATE, judges

OTHER = "other"
BAD_UIDS = {
    "no cookie": None,
    "an empty uid": "",
    "an oversized uid": "u" * 65,
    "a very long uid": "u" * 3_000,
    "a uid with a dot": "a.b",
    "a uid with a space": "a b",
    "a uid like a path": "../../etc/passwd",
    "a uid beyond ASCII": "é",
    "a uid with a percent sign": "%41",
}


@judges("private/uid-required")
async def test_nothing_goes_without_a_uid(world: World) -> None:
    """Every call with every kind of missing uid: turned away, and nothing happens."""
    alice = await world.client("alice")
    sent = await world.write()
    paths = world.paths
    calls = [
        ("GET", paths.history, b""),
        ("GET", f"{paths.history}?before={sent.id}", b""),
        ("GET", paths.events, b""),
        ("POST", f"{paths.ping}?id={alice.connection_id}", b""),
        ("GET", f"{paths.history}?uid={world.uid()}", b""),
        ("GET", f"{paths.events}?uid={world.uid()}", b""),
        ("POST", paths.messages, b"MESSAGE"),
        ("POST", paths.messages, b"no JSON"),
    ]
    if world.changes:
        message = paths.message.replace("{id}", str(sent.id))
        calls += [("PATCH", message, b'{"text": "MARK"}'), ("DELETE", message, b"")]
    good = msgspec.json.encode({"author": "stranger", "text": "MARK", "nonce": "MARK"})
    for number, (label, cookie) in enumerate(BAD_UIDS.items(), 1):
        marker = f"stranger-{number}"
        for method, path, content in calls:
            body = content.replace(b"MESSAGE", good).replace(b"MARK", marker.encode())
            await world.without_uid(
                label, method, path, cookie=cookie, content=body, marker=marker
            )
    await world.read_all()
    await world.seen(await world.write(), alice)


@judges("private/isolation", "event/no-phantom", "event/no-loss", "converge")
async def test_users_never_meet(world: World) -> None:
    """Two users write, read, page and come back at once; each sees their own only."""
    alice = await world.client("alice")
    bob = await world.client("bob", uid=OTHER)
    async with world.writing(20), world.writing(20, uid=OTHER):
        for _ in range(3):
            await asyncio.gather(world.inject(cut(alice)), world.inject(cut(bob)))
            await asyncio.gather(world.read_all(), world.read_all(uid=OTHER))
            await world.live(alice, bob)
    await asyncio.gather(world.write(by=alice), world.write(by=bob))
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(uid=OTHER), bob)


@judges("private/isolation", "event/no-phantom", "converge")
async def test_what_is_of_another_is_as_if_it_were_not(world: World) -> None:
    """Another's message, page, connection and cursor are unknown to whoever asks."""
    alice = await world.client("alice")
    bob = await world.client("bob", uid=OTHER)
    await world.write_many(2)
    mine = await world.write()
    await world.seen(await world.write(uid=OTHER), bob)
    await world.seen(mine, alice)
    if world.changes:
        await world.update(mine.id)
        await world.delete((await world.write()).id)
    for message_id in (mine.id, 999_999_999):
        if world.changes:
            await world.update(message_id, uid=OTHER)
            await world.delete(message_id, uid=OTHER)
        await world.page(message_id, uid=OTHER)
    await world.ping(alice.connection_id, uid=OTHER)
    await world.probe(header=alice.cursor, uid=OTHER)
    await world.probe(query=alice.cursor, uid=OTHER)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(uid=OTHER), bob)


@judges("reset/unknown-cursor", "reset/before-any-event", profiles=PRIVATE)
async def test_cursor_of_another_user(world: World) -> None:
    """Both have had as many events; one's cursor means nothing for the other."""
    bob = await world.client("bob", uid=OTHER)
    await world.write_many(3)
    await world.write_many(3, uid=OTHER)
    await world.seen(await world.write(uid=OTHER), bob)
    await world.write()
    await asyncio.gather(world.probe(header=bob.cursor), world.probe(query=bob.cursor))


@judges("private/isolation", "event/no-phantom", "event/no-loss", "converge")
async def test_users_whose_names_are_alike(world: World) -> None:
    """By case, by a wildcard of SQL, by what one begins with: others all the same."""
    long = world.longest_label()
    names = ("a_c", "abc", "A_c", "a_c_", long, f"{long[:-1]}v")
    tabs = [await world.client(f"tab-{name}", uid=name) for name in names]
    for name, tab in zip(names, tabs, strict=True):
        async with world.away(tab):
            await world.write(uid=name)
        await world.seen(await world.write(uid=name), tab)
        await world.seen(await world.write(by=tab), tab)
        await world.read_all(uid=name)


@judges("private/isolation", "converge")
async def test_two_users_on_one_connection(world: World) -> None:
    """A proxy's kept connection serves two users in turn; neither gets the other's."""
    alice = await world.client("alice")
    bob = await world.client("bob", uid=OTHER)
    for _ in range(3):
        sent = await world.write(by="proxy"), await world.write(by="proxy", uid=OTHER)
        await world.read_all("proxy")
        await world.read_all("proxy", uid=OTHER)
        if world.changes:
            await world.update(sent[0].id, by="proxy")
            await world.update(sent[1].id, by="proxy", uid=OTHER)
    await world.seen(await world.write(), alice)
    await world.seen(await world.write(uid=OTHER), bob)


@judges("private/all-tabs", "event/order", "event/no-loss", "converge")
async def test_every_tab_of_a_user(world: World) -> None:
    """Three tabs of one user: each gets what support and the other tabs write."""
    tabs = [await world.client(name) for name in ("first", "second", "third")]
    for tab in tabs:
        await world.seen(await world.write(by=tab), *tabs)
        await world.seen(await world.write(), *tabs)
    if world.changes:
        sent = await world.write()
        await world.seen(await world.update(sent.id), *tabs)
        await world.seen(await world.delete(sent.id), *tabs)
    async with world.away(tabs[0]):
        await world.seen(await world.write(), *tabs[1:])
    await world.seen(await world.write(), *tabs)


@pytest.mark.waits(6)
@judges("write/rate-limit", "event/no-phantom", "converge")
async def test_posts_of_one_user_at_once(world: World) -> None:
    """Of many posts in one second one is taken; other users and support go on.

    Neither what the support writes counts nor what is changed.
    """
    alice = await world.client("alice")
    second = await world.client("second")
    bob = await world.client("bob", uid=OTHER)
    for _ in range(2):
        await asyncio.gather(
            *(world.write(by=tab, paced=False) for tab in [alice, second] * 3),
            world.write(by=bob, paced=False),
            *(world.write() for _ in range(3)),
        )
        await world.passes(1.2)
    await world.write()
    await world.seen(await world.write(by=alice, paced=False), alice, second)
    for waited_s in (0.4, 0.25, 0.15, 0.5):
        await world.passes(waited_s)
        await world.write(by=second, paced=False)
    await world.passes(1.1)
    last = await world.write(by=alice, paced=False)
    if world.changes:
        await world.passes(1.2)
        await world.update(last.id, by=alice)
        await world.write(by=second, paced=False)
    await world.read_all()
    await world.seen(await world.write(uid=OTHER), bob)


@judges("history/pages", "history/page-size", profiles=PERSONAL)
async def test_pages_of_two_hundred(world: World) -> None:
    """Around a page's edge and over several pages: every message once, `more` right.

    Another user's messages in between, more than a page of them, do not count.
    """
    await world.read_all()
    first, second, _ = await world.write_many(3)
    async with world.writing(205, writers=4, uid=OTHER):
        pass
    async with world.writing(197, writers=4):
        pass
    await world.read_all()
    if world.changes:
        await world.delete(first.id)
        await world.delete(second.id)
        await world.read_all()
        await world.write_many(2)
    await world.write()
    await world.read_all()
    async with world.writing(200, writers=4):
        pass
    await world.read_all()
    if world.changes:
        gone, _ = await world.write_many(2)
        await world.delete(gone.id)
        await world.read_all()


@judges("history/pages", "converge", profiles=PERSONAL)
async def test_pages_while_others_write(world: World) -> None:
    """New messages do not shift older pages: every message is still there once."""
    async with world.writing(220, writers=4):
        pass
    async with world.writing(40, writers=2):
        for _ in range(5):
            await world.read_all()
    await world.read_all()
