"""Writes: acknowledged means kept, refused means nothing happened."""

import msgspec

from harness.arm import How
from harness.world import World
from scenarios.requirements import judges


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


@judges("write/bad-input", "event/no-phantom")
async def test_table_of_bad_input(world: World) -> None:
    """Bad input is refused with an error body and leaves no trace."""
    alice = await world.client("alice")
    good = await world.write()
    paths = world.paths
    for number, (label, content) in enumerate(bad_messages(world.limits), 1):
        marker = f"bad-{number}"
        body = content.replace(b"MARK", marker.encode())
        headers = {"Content-Type": "application/json"}
        await world.send_bad(
            label, "POST", paths.messages, content=body, headers=headers, marker=marker
        )
    message = paths.message.replace("{id}", str(good.id))
    for label, content in bad_patches() if world.changes else ():
        await world.send_bad(label, "PATCH", message, content=content, marker="patch")
    queries = bad_times(paths.history) if paths.init else []
    if not paths.init and isinstance(good.id, int):
        queries = bad_ids(paths.history)
    for label, path in queries:
        await world.send_bad(label, "GET", path)
    support = paths.operator.replace("{uid}", world.uid())
    for label, headers in bad_tokens() if support else ():
        content = b'{"author": "vandal", "text": "no token", "nonce": "no-token"}'
        headers |= {"Content-Type": "application/json"}
        await world.send_bad(
            label, "POST", support, content=content, headers=headers, marker="no token"
        )
    await world.send_bad("ping without an id", "POST", paths.ping)
    await world.snapshot()
    await world.seen(await world.write(), alice)


def bad_messages(limits: object) -> list[tuple[str, bytes]]:
    """Bodies that POST must refuse; MARK stands for a unique text."""
    good = {"author": "vandal", "text": "MARK", "nonce": "MARK"}

    def but(**changes: object) -> bytes:
        return msgspec.json.encode(good | changes)

    def without(name: str) -> bytes:
        return msgspec.json.encode({k: v for k, v in good.items() if k != name})

    size = getattr(limits, "max_body_bytes", 65_536)
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
        ("author is a number", but(author=7)),
        ("author is empty", but(author="")),
        ("author too long", but(author="a" * 201)),
        ("nonce is a number", but(nonce=7)),
        ("nonce too long", but(nonce="MARK" + "n" * 200)),
        ("body over the limit", but(padding="p" * (size + 1))),
    ]


def bad_patches() -> list[tuple[str, bytes]]:
    """Bodies that PATCH must refuse."""
    return [
        ("patch: no JSON", b"{"),
        ("patch: no text", b"{}"),
        ("patch: text is a number", b'{"text": 5}'),
        ("patch: text is empty", b'{"text": ""}'),
        ("patch: text too long", b'{"text": "patch' + b"x" * 10_001 + b'"}'),
    ]


def bad_tokens() -> list[tuple[str, dict[str, str]]]:
    """What the support side must not be let in with."""
    return [
        ("support: no token", {}),
        ("support: a scheme alone", {"Authorization": "Bearer"}),
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
