"""Blocks are read as WHATWG says."""

import pytest

from harness.checkers.sse import read_block, retry_of


@pytest.mark.parametrize(
    ("text", "kind", "data", "cursor"),
    [
        ("event: create\nid: 7\ndata: {}\n\n", "create", "{}", "7"),
        ("event:create\rid:7\rdata:{}\r\r", "create", "{}", "7"),
        ("event: create\r\ndata: a\r\ndata: b\r\n\r\n", "create", "a\nb", None),
        ("data: x\n\n", "message", "x", None),
        ("event: create\nid: 7\n\n", "", "", "7"),
        ("event: create\ndata:\nid\n\n", "create", "", ""),
        (": keep-alive\n\n", "", "", None),
        ("retry: 5\n\n", "", "", None),
        ("id: a\0b\ndata: x\n\n", "message", "x", None),
        ("data:  two\n\n", "message", " two", None),
        ("id: 1\nid: 2\nevent: a\nevent: b\ndata: x\n\n", "b", "x", "2"),
    ],
)
def test_block(text: str, kind: str, data: str, cursor: str | None) -> None:
    block = read_block(text)
    assert (block.kind, block.data, block.id) == (kind, data, cursor)


def test_byte_order_mark_counts_at_the_start_only() -> None:
    text = "\ufeffevent: ping\ndata: x\n\n"
    assert read_block(text, first=True).kind == "ping"
    assert read_block(text).kind == "message"


@pytest.mark.parametrize("data", ["nonsense", "[" * 5000, "1e999", '"\\ud800"', "[]"])
def test_any_data_is_read(data: str) -> None:
    block = read_block(f"event: create\nid: 1\ndata: {data}\n\n")
    assert (block.value, block.message_id) == ({}, "")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("event: ping\nretry: 100\ndata: {}\n\n", 100),
        ("\ufeffretry:5\nretry: 7\n\n", 7),
        ("event: ping\rretry: 9\r\r", 9),
        ("retry: 1e3\n\n", None),
        ("data: retry: 3\n\n", None),
        (f"retry: {'9' * 5_000}\n\n", 10**18 - 1),
    ],
)
def test_the_reconnection_time_is_read_as_whatwg_says(
    text: str, ms: int | None
) -> None:
    assert retry_of(text) == ms
