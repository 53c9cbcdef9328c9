"""The wire log: as it came, within its budget, and what is cited always there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.history import CloseKind
from reports.frames import glance
from reports.inert import inert, one_line
from reports.rows import Gap, Row, shorten
from reports.wirelog import operation_log, wire_logs
from tests.reports import sample


def rows(count: int, cited: frozenset[int] = frozenset()) -> list[Row]:
    return [
        Row(n=n, t_s=0.0, kind="create", head="", cited=n in cited)
        for n in range(1, count + 1)
    ]


@given(
    st.integers(0, 300),
    st.integers(1, 60),
    st.frozensets(st.integers(1, 300), max_size=20),
)
def test_nothing_is_lost_uncounted(
    count: int, lines: int, cited: frozenset[int]
) -> None:
    kept = list(shorten(rows(count, cited), lines))
    shown = [row for row in kept if isinstance(row, Row)]
    hidden = sum(one.count for one in kept if isinstance(one, Gap))
    assert len(shown) + hidden == count
    assert [row.n for row in shown] == sorted(row.n for row in shown)
    assert {n for n in cited if n <= count} <= {row.n for row in shown}
    assert all(one.count > 0 for one in kept if isinstance(one, Gap))
    assert len(shown) <= lines + 2 + 5 * len(cited)


def test_a_connection_from_its_cursor_to_its_end() -> None:
    build = sample.Builder()
    conn = build.open(0.0, "alice", "3f-9")
    build.frame(0.1, conn, ": keep-alive\n\n")
    build.frame(0.2, conn, "data: ?\n\n", raw=b"data: \xff\n\n", chunks=3)
    build.close(0.3, conn, CloseKind.RST, "event: cre")
    (log,) = wire_logs(build.history(), (), lines=100)
    assert log.title == "alice, connection 1: 3 frames, rst"
    seen = [row for row in log.rows if isinstance(row, Row)]
    assert [row.kind for row in seen] == [
        "opened",
        "answered",
        "ping",
        "comment",
        "other",
        "closed",
    ]
    assert seen[0].head == "with Last-Event-ID '3f-9'"
    assert seen[3].text == ": keep-alive\n\n"
    assert seen[4].text == "data: \\xff\n\n"
    assert "not UTF-8" in seen[4].head
    assert seen[5].text == "event: cre"


def test_cited_connections_come_first_and_the_budget_is_shared() -> None:
    history, _ = sample.cut_and_resumed(clients=10, events=100)
    frame = next(
        one for one in history.records if getattr(one, "conn", 0) == 7 and one.t_s > 1
    )
    logs = wire_logs(history, {frame.n}, lines=100)
    assert logs[0].cited
    assert "connection 7" in logs[0].title
    assert len(logs) == 11
    shown = sum(isinstance(row, Row) for log in logs for row in log.rows)
    assert shown <= 100 + 5


def test_operations_are_told_with_their_answers() -> None:
    history, _ = sample.cut_and_resumed()
    log = operation_log(history, (), lines=1_000)
    told = [row.head for row in log.rows if isinstance(row, Row)]
    assert "writer create: POST /broadcast/messages" in told
    assert "writer create: status 201" in told
    assert "server life 1 ending, by kill" in told
    assert "cut of client-1 (close rst)" in told


@pytest.mark.parametrize(
    ("text", "kind", "event_id"),
    [
        ("event: create\nid: 3f-1\ndata: {}\n\n", "create", "3f-1"),
        ("event:reset\r\ndata:{}\r\n\r\n", "reset", ""),
        (": keep-alive\n\n", "comment", ""),
        ("data: x\n\n", "other", ""),
        ("event: surprise\n\n", "other", ""),
        ("", "comment", ""),
    ],
)
def test_glance(text: str, kind: str, event_id: str) -> None:
    assert glance(text)[:2] == (kind, event_id)


@given(st.text())
def test_inert_text_is_printable_and_encodable(text: str) -> None:
    shown = one_line(text)
    shown.encode("utf-8")
    assert "\n" not in shown
    assert "\x1b" not in inert(text)


def test_short_connections_leave_their_room_to_the_long_one() -> None:
    build = sample.Builder()
    for place in range(40):
        conn = build.open(place / 10, "alice")
        build.close(place / 10 + 0.05, conn, CloseKind.FIN)
    long = build.open(5.0, "bob")
    for seq in range(200):
        build.event(5 + seq / 100, long, seq)
    logs = wire_logs(build.history(), (), lines=400)
    bob = next(log for log in logs if log.title.startswith("bob"))
    assert not any(isinstance(row, Gap) for row in bob.rows)
