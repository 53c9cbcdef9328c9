"""Every mutant starts, serves enough to be judged, and is told from the clean one."""

from pathlib import Path

import pytest

from reference_server.mutants.registry import REGISTRY
from tests.reference_server import (
    test_mutants_bite,
    test_personal_mutants_bite,
    test_refusal_mutants_bite,
)
from tests.reference_server.driver import Driver, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


BEHIND = ("naive-stale-init", "log-late-commit")
"""Their snapshots lag behind the events."""


IN_SCENARIOS = frozenset(
    [
        "author-column-too-short",
        "changed-only-once",
        "changes-refused",
        "changes-start-a-second",
        "cursor-beyond-ascii-500",
        "data-split-at-any-line-end",
        "delete-by-window-id",
        "delete-checked-too-early",
        "deleted-counted-at-start",
        "deleted-still-changed",
        "edit-times-in-memory",
        "edited-not-deleted",
        "event-as-old-as-its-message",
        "event-line-ends-normalised",
        "event-text-stripped",
        "event-text-without-mark",
        "evicted-off-by-one-later",
        "first-cursor-of-any-life",
        "foreign-code",
        "fresh-unwatched",
        "half-a-body-ends-streams",
        "half-a-token-taken",
        "history-end-crashes",
        "history-with-ids-of-changed",
        "huge-id-crashes",
        "id-ends-with-its-digits",
        "ids-anew-when-empty",
        "init-empty-crashes",
        "init-not-renewed-by-update",
        "large-not-replayed",
        "large-not-sent",
        "largest-body-refused",
        "limit-in-bytes",
        "log-join-repeats",
        "log-joins-late",
        "longest-uid-refused",
        "more-than-a-token-taken",
        "neighbour-of-ended-skipped",
        "next-cursor-accepted",
        "no-keepalive-after-replay",
        "old-life-delete-unsent",
        "oldest-forgotten-at-restart",
        "oldest-own-event-skips-next",
        "oldest-remembered",
        "one-too-long-taken",
        "own-changes-refused",
        "page-before-anybodys-message",
        "patch-array-crashes",
        "patch-unlimited",
        "path-not-utf8-crashes",
        "personal-history-end-crashes",
        "pinged-once-is-for-ever",
        "pruned-one-a-sweep",
        "pruned-while-open",
        "query-after-bad-header",
        "rate-limit-long",
        "rate-limit-short",
        "record-of-a-hundred",
        "resume-renews-record",
        "resumed-pings-unknown",
        "second-edit-not-stored",
        "support-starts-a-second",
        "support-unchecked",
        "sweep-stops-at-first-kept",
        "two-pings-at-once-kill",
        "uid-case-ignored",
        "uid-from-query",
        "uid-like",
        "uid-prefix-published",
        "unsized-unlimited",
        "updates-go-with-a-delete",
        "what-follows-is-ignored",
        "word-for-an-id-crashes",
    ]
)
"""What these do shows in a whole scenario only: `unbroken mutants`, in .ci/run."""


async def say(server: Driver, profile: str) -> None:
    """A message."""
    headers = {"cookie": "uid=ann"}
    body = {"author": "ann", "text": "text"}
    path = f"/{profile}/messages"
    assert (await server.call("POST", path, body, **headers)).status == 201


@pytest.mark.parametrize("name", REGISTRY)
async def test_mutant_serves(tmp_path: Path, name: str) -> None:
    profile = REGISTRY[name].profile
    async with running(tmp_path, mutant=name) as server:
        stream = await server.stream(f"/{profile}/events", cookie="uid=ann")
        if name == "first-event-not-sent":
            await server.user("ann").hear()
        await say(server, profile)
        if not await stream.events_within(1, 0.3):
            await say(server, profile)
        await stream.until(lambda each: len(each.events) == 1)
        assert stream.events[0]["value"]["text"] == "text"
        snapshot = "history" if profile in ("log", "private") else "init"
        path = f"/{profile}/{snapshot}"
        answer = await server.call("GET", path, cookie="uid=ann")
        assert answer.json["messages"] or name in BEHIND
        await stream.close()


def test_every_mutant_is_told_from_the_clean_server() -> None:
    tables = (
        *(test_mutants_bite, test_personal_mutants_bite),
        test_refusal_mutants_bite,
    )
    told = [name for each in tables for name in (*each.PROBES, *each.RESTARTED)]
    assert sorted([*told, *IN_SCENARIOS]) == sorted(REGISTRY)
