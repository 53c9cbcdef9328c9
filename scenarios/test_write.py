"""Writes: acknowledged means kept, refused means nothing happened."""

import asyncio

import msgspec

from harness.arm import How
from harness.world import World
from scenarios.requirements import CHANGING, judges

SUPPORT = {"Authorization": "Bearer for-tests-only"}


@judges("write/durable", "converge")
async def test_acknowledged_writes_survive_a_kill(world: World) -> None:
    """kill -9 right after the answers: every create, update and delete stands."""
    sent = await world.write_many(world.limits.message_limit + 10)
    if world.changes:
        await world.update(sent[-1].id)
        await world.delete(sent[-2].id)
    await world.write()
    await world.stop(How.KILL)
    await world.start()
    await world.read_all()


@judges("write/durable")
async def test_killed_at_each_kind_of_write(world: World) -> None:
    """A kill the moment after one create, one update, one delete."""
    alice = await world.client("alice")
    kept = await world.write_many(3)
    await world.write(by=alice)
    await world.restart(How.KILL)
    await world.read_all()
    if world.changes:
        kept = [await world.write(), await world.write()]
        await world.delete(kept[0].id)
        await world.restart(How.KILL)
        await world.read_all()
        shown = world.witness.view.messages()
        await world.update(shown[0].id if shown else 0)
    await world.restart(How.KILL)
    await world.read_all()
    await world.write()
    await world.restart(How.KILL)
    await world.read_all()


@judges("write/durable", "event/no-loss", "converge", profiles=CHANGING)
async def test_changes_of_changed_messages(world: World) -> None:
    """Changed twice, changed and deleted, then all of it again after a restart."""
    alice = await world.client("alice")
    for _ in range(2):
        first, second, _ = await world.write_many(3)
        await world.update(first.id)
        await world.update(first.id)
        await world.update(second.id)
        await world.delete(second.id)
        await world.restart(How.KILL)
        await world.seen(await world.write(), alice, world.witness)
        await world.read_all()
        shown = world.witness.view.messages()
        if len(shown) > 1:
            await world.update(shown[0].id)
            await world.delete(shown[1].id)
        await world.seen(await world.write(), alice)


@judges("event/no-phantom", "converge", profiles=CHANGING)
async def test_changes_of_one_message_at_once(world: World) -> None:
    """Deleted twice, changed and deleted: what comes second finds nothing."""
    alice = await world.client("alice")
    for _ in range(8):
        one = (await world.write()).id
        changes = world.delete(one), world.delete(one), world.update(one)
        await asyncio.gather(*changes)
        await world.delete(one)
        await world.update(one)
    await world.seen(await world.write(), alice)


@judges("write/bad-input", "event/no-phantom")
async def test_table_of_bad_input(world: World) -> None:
    """Bad input is refused with an error body and leaves no trace."""
    alice = await world.client("alice")
    good = await world.write()
    paths, json = world.paths, {"Content-Type": "application/json"}
    size = getattr(world.limits, "max_body_bytes", 65_536)
    support = paths.operator.replace("{uid}", world.uid())
    for number, (label, content) in enumerate(bad_messages(size), 1):
        for path, headers in ((paths.messages, json), (support, json | SUPPORT)):
            marker = f"bad-{number}" if headers is json else f"support-bad-{number}"
            body = content.replace(b"MARK", marker.encode())
            if path:
                await world.send_bad(
                    label, "POST", path, content=body, headers=headers, marker=marker
                )
    await world.send_bad(
        "a body over the limit whose length is not told",
        "POST",
        paths.messages,
        content=over_limit(size, "unsized"),
        headers=json,
        marker="unsized",
        unsized=True,
    )
    message = paths.message.replace("{id}", str(good.id))
    for label, content in bad_patches(size) if world.changes else ():
        await world.send_bad(label, "PATCH", message, content=content, marker="patch")
    for method in ("PATCH", "DELETE") if world.changes else ():
        path, content = paths.message.replace("{id}", "abc"), b'{"text": "patch"}'
        await world.send_bad(f"{method} of a word", method, path, content=content)
    queries = bad_times(paths.history) if paths.init else []
    if not paths.init and isinstance(good.id, int):
        queries = bad_ids(paths.history)
    for label, path in queries:
        await world.send_bad(label, "GET", path)
    for label, headers in bad_tokens() if support else ():
        content = b'{"author": "vandal", "text": "no token", "nonce": "no-token"}'
        headers |= json
        await world.send_bad(
            label, "POST", support, content=content, headers=headers, marker="no token"
        )
    await world.send_bad("ping without an id", "POST", paths.ping)
    await world.snapshot()
    await world.seen(await world.write(), alice)


def bad_messages(size: int) -> list[tuple[str, bytes]]:
    """Bodies that POST must refuse; MARK stands for a text, `size` is the limit."""
    good = {"author": "vandal", "text": "MARK", "nonce": "MARK"}

    def but(**changes: object) -> bytes:
        return msgspec.json.encode(good | changes)

    def without(name: str) -> bytes:
        return msgspec.json.encode({k: v for k, v in good.items() if k != name})

    return [
        ("no body", b""),
        ("no JSON", b"MARK"),
        ("JSON cut short", b'{"author": "vandal", "text": "MARK'),
        ("not UTF-8", b'{"author": "vandal", "text": "MARK\xff\xfe"}'),
        ("an array", b'["MARK"]'),
        ("a string", b'"MARK"'),
        ("null", b"null"),
        ("deeply nested", b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
        ("text missing", without("text")),
        ("author missing", without("author")),
        ("text is a number", but(text=12)),
        ("text is null", but(text=None)),
        ("text is a list", but(text=["MARK"])),
        ("text is empty", but(text="")),
        ("text too long", but(text="MARK" + "x" * 10_000)),
        ("text one too long", but(text="x" * 10_001)),
        ("author is a number", but(author=7)),
        ("author is empty", but(author="")),
        ("author too long", but(author="a" * 201)),
        ("nonce is a number", but(nonce=7)),
        ("nonce too long", but(nonce="MARK" + "n" * 200)),
        ("body over the limit", over_limit(size, "MARK")),
    ]


def over_limit(size: int, text: str) -> bytes:
    """A good message but for its size, in bytes."""
    message = {"author": "vandal", "text": text, "nonce": text}
    return msgspec.json.encode(message | {"padding": "p" * (size + 1)})


def bad_patches(size: int) -> list[tuple[str, bytes]]:
    """Bodies that PATCH must refuse; `size` is the limit for a body."""
    return [
        ("patch: no JSON", b"{"),
        ("patch: no text", b"{}"),
        ("patch: text is a number", b'{"text": 5}'),
        ("patch: text is empty", b'{"text": ""}'),
        ("patch: text too long", b'{"text": "patch' + b"x" * 10_001 + b'"}'),
        ("patch: an array", b"[]"),
        ("patch: not UTF-8", b'{"text": "patch\xff"}'),
        (
            "patch: over the limit",
            msgspec.json.encode({"text": "patch", "padding": "p" * (size + 1)}),
        ),
    ]


def bad_tokens() -> list[tuple[str, dict[str, str]]]:
    """What the support side must not be let in with."""
    return [
        ("support: no token", {}),
        ("support: a scheme alone", {"Authorization": "Bearer"}),
        ("support: half a token", {"Authorization": "Bearer for-tests"}),
        ("support: another token", {"Authorization": "Bearer of-another"}),
        ("support: another scheme", {"Authorization": "Basic for-tests-only"}),
    ]


def bad_times(history: str) -> list[tuple[str, str]]:
    """Queries of a shared history that must be refused."""
    return [
        ("loadFrom missing", history),
        ("loadFrom is a word", f"{history}?loadFrom=yesterday"),
        ("loadFrom is empty", f"{history}?loadFrom="),
        ("loadFrom is huge", f"{history}?loadFrom={'9' * 400}"),
    ]


def bad_ids(history: str) -> list[tuple[str, str]]:
    """The same of a personal one whose ids are numbers."""
    return [
        ("before is a word", f"{history}?before=yesterday"),
        ("before is half a number", f"{history}?before=1.5"),
    ]
