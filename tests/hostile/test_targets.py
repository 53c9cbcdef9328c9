"""Hostile targets, end to end: a verdict of the right kind, in time, within bounds.

What a target does wrong is "failed", one that never comes up is "could not run", and
neither may hang, flood or crash the harness. `UNBROKEN_HOSTILE=all` runs the rest.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hostile.driver import Done, hostile, unbroken

pytestmark = pytest.mark.timeout(300)

START = "ready_within_s = 20\nstop_within_s = 1"
NEVER_READY = "ready_within_s = 2"
WRITES = "test_three_clients"
PAGES = "test_pages_back"
FIRST = "test_first_frame"
CUT = "test_cut_in_mid_stream and fin"

MAX_MEGABYTES = 600
MAX_LOG_BYTES = 32 << 20
CONFORMS, BROKEN, COULD_NOT_RUN = 0, 1, 3

# program, mode, scenario -> exit status, and a requirement found broken or a phrase.
Expected = tuple[int, str]
USUAL: dict[tuple[str, str, str], Expected] = {
    ("raw", "exits", FIRST): (COULD_NOT_RUN, "exited with status 4"),
    ("raw", "grandchild", FIRST): (COULD_NOT_RUN, "exited with status 0"),
    ("raw", "never-ready", FIRST): (COULD_NOT_RUN, "status 503"),
    ("raw", "other-port", FIRST): (COULD_NOT_RUN, "not ready within"),
    ("raw", "loud-start", FIRST): (COULD_NOT_RUN, "all work and no play"),
    ("raw", "html", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "garbage", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "endless-header", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "endless-block", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "silent", FIRST): (BROKEN, "converge"),
    ("raw", "dies", FIRST): (BROKEN, "out of \\x07 cheese"),
    ("lookalike", "honest", WRITES): (CONFORMS, "conforms"),
    ("lookalike", "drip", CUT): (CONFORMS, "conforms"),
    ("lookalike", "headers", WRITES): (CONFORMS, "conforms"),
    ("lookalike", "interval-soon", WRITES): (BROKEN, "stream/first-frame-ping"),
    ("lookalike", "init-deep", WRITES): (BROKEN, "init/window"),
    ("lookalike", "message-id-newline", WRITES): (BROKEN, "init/no-database-ids"),
    ("lookalike", "dies-in-mid-stream", WRITES): (BROKEN, "core breach"),
}
REST: dict[tuple[str, str, str], Expected] = {
    ("raw", "one-byte", FIRST): (BROKEN, "converge"),
    ("raw", "loud", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "zip-bomb", FIRST): (BROKEN, "stream/content-type"),
    ("raw", "informational", FIRST): (BROKEN, "converge"),
    ("raw", "huge-snapshot", FIRST): (BROKEN, "converge"),
    ("raw", "tiny-frames", FIRST): (BROKEN, "failed"),
    ("raw", "tiny-events", FIRST): (BROKEN, "failed"),
    ("lookalike", "cursor-1mb", WRITES): (BROKEN, "failed"),
    ("lookalike", "cursor-escapes", "test_flapping"): (BROKEN, "resume/within-log"),
    ("lookalike", "interval-zero", WRITES): (BROKEN, "stream/first-frame-ping"),
    ("lookalike", "interval-negative", WRITES): (BROKEN, "stream/first-frame-ping"),
    ("lookalike", "interval-null", WRITES): (BROKEN, "stream/first-frame-ping"),
    ("lookalike", "retry-zero", "test_flapping"): (CONFORMS, "conforms"),
    ("lookalike", "retry-forever", "test_flapping"): (BROKEN, "converge"),
    ("lookalike", "retry-huge", "test_flapping"): (BROKEN, "converge"),
    ("lookalike", "connection-newline", WRITES): (BROKEN, "ping/unique-connection"),
    ("lookalike", "init-null", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-list", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-nan", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-messages-null", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-messages-numbers", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-messages-deep", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-duplicate-keys", WRITES): (BROKEN, "init/window"),
    ("lookalike", "init-ids-huge", WRITES): (BROKEN, "init/window"),
    ("lookalike", "data-null", WRITES): (BROKEN, "event/payload"),
    ("lookalike", "data-deep", WRITES): (BROKEN, "event/payload"),
    ("lookalike", "surrogates", WRITES): (BROKEN, "event/payload"),
    ("lookalike", "escapes", WRITES): (BROKEN, "event/payload"),
    ("lookalike", "message-id-list", WRITES): (BROKEN, "init/no-database-ids"),
    ("lookalike", "message-id-1mb", WRITES): (BROKEN, "init/no-database-ids"),
    ("lookalike", "created-at-deep", PAGES): (BROKEN, "init/window"),
    ("lookalike", "created-at-1mb", PAGES): (BROKEN, "init/window"),
    ("lookalike", "history-endless", PAGES): (BROKEN, "history/pages"),
}
CASES = USUAL | (REST if os.environ.get("UNBROKEN_HOSTILE") == "all" else {})
Runs = dict[tuple[str, str, str], Future[Done]]


def run(folder: Path, program: str, mode: str, scenario: str) -> Done:
    """One scenario against one hostile target, in one process."""
    folder.mkdir()
    start = NEVER_READY if CASES[program, mode, scenario][0] == 3 else START
    file = hostile(folder, program, mode, start=start)
    return unbroken("run", file, "-k", scenario, "--jobs", 1, cwd=folder, within_s=240)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs at once: they mostly wait for what a hostile target does not say."""
    base = tmp_path_factory.mktemp("hostile")
    with ThreadPoolExecutor(6) as pool:
        yield {case: pool.submit(run, base / case[1], *case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[mode for _, mode, _ in CASES])
def test_verdict_and_bounds(runs: Runs, case: tuple[str, str, str]) -> None:
    status, expected = CASES[case]
    done = runs[case].result()
    assert done.status == status, done.text
    assert "Traceback" not in done.text
    assert "broke down" not in done.text
    assert "\x1b" not in done.text
    assert "/" not in expected or expected in done.broken(), done.text
    assert "/" in expected or expected in done.text, done.text
    assert done.megabytes < MAX_MEGABYTES
    logs = (done.out / "logs").rglob("*.log")
    assert max(log.stat().st_size for log in logs) < MAX_LOG_BYTES
