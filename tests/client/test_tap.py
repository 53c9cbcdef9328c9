"""The tap: no byte lost, the same blocks whatever the chunking, bounds that hold."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.client import tap
from harness.client.tap import Block, Flood, Splitter

BODIES = st.lists(
    st.sampled_from(
        [b"\n", b"\r", b"\r\n", b"data: x", b"id: 7", b":", b"\xe2\x98\x95", b"\xff"]
    )
    | st.binary(max_size=4),
    max_size=30,
).map(b"".join)


def cuts_of(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[a:b] for a, b in pairwise(edges) if a < b]


def fed(chunks: list[bytes]) -> tuple[list[Block], Splitter]:
    splitter = Splitter()
    blocks = []
    for number, chunk in enumerate(chunks):
        blocks += splitter.feed(chunk, float(number))
    return blocks, splitter


def test_the_longest_silence_of_each_block_and_of_the_tail() -> None:
    splitter = Splitter()
    assert splitter.silence(9.0) is None
    times = ((b": a\n", 1.0), (b": b\n", 4.0), (b"\n", 5.0), (b"\n: c\n", 7.0))
    blocks = [block for data, t_s in times for block in splitter.feed(data, t_s)]
    assert [block.quiet for block in blocks] == [(1.0, 4.0), None]
    assert splitter.silence(7.5) == (7.0, 7.5)
    splitter.feed(b": d", 10.0)
    assert splitter.silence(10.5) == (7.0, 10.0)
    assert splitter.feed(b"\n\n", 11.0)[0].quiet == (7.0, 10.0)
    assert splitter.silence(15.0) == (11.0, 15.0)
    splitter.feed(b": e", 16.0)
    assert splitter.silence(17.0) == (11.0, 16.0)


def model(body: bytes) -> tuple[list[bytes], bytes]:
    """Blocks and tail, by reading line after line."""
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", body)
    blocks, block = [], b""
    for line in lines:
        block += line
        if not line.strip(b"\r\n"):
            blocks.append(block)
            block = b""
    return blocks, block


def less_split_line_feed(blocks: list[bytes]) -> list[bytes]:
    """A blank CR LF cut between its halves ends its block at the CR."""
    return [
        re.sub(rb"((?:\A|[\r\n])\r)\n\Z", rb"\1", block, flags=re.DOTALL)
        for block in blocks
    ]


@settings(max_examples=150, deadline=None)
@given(BODIES, st.lists(st.integers(0, 500), max_size=12))
def test_blocks_and_tail_are_the_body(body: bytes, places: list[int]) -> None:
    chunks = cuts_of(body, places)
    blocks, splitter = fed(chunks)
    whole = b""
    for block in blocks:
        if block.offset > len(whole):  # the LF of a CR LF cut in two
            assert whole.endswith(b"\r")
            assert body[len(whole) : block.offset] == b"\n"
            whole += b"\n"
        assert block.offset == len(whole)
        whole += block.data
    rest = splitter.tail
    assert body in (whole + rest, whole + b"\n" + rest)
    assert splitter.received == len(body)


@settings(max_examples=150, deadline=None)
@given(BODIES, st.lists(st.integers(0, 500), max_size=12))
def test_the_same_blocks_whatever_the_chunking(body: bytes, places: list[int]) -> None:
    expected, tail = model(body)
    blocks, splitter = fed(cuts_of(body, places))
    data = [block.data for block in blocks]
    assert less_split_line_feed(data) == less_split_line_feed(expected)
    assert splitter.tail == tail
    one, _ = fed([body] if body else [])
    assert [block.data for block in one] == expected
    for block in blocks:
        assert block.data in expected or block.data + b"\n" in expected


@settings(max_examples=60, deadline=None)
@given(BODIES.filter(lambda body: b"\r" not in body), st.lists(st.integers(0, 500)))
def test_times_and_chunk_counts_tell_the_reads(body: bytes, places: list[int]) -> None:
    chunks = cuts_of(body, places)
    read_of = [number for number, chunk in enumerate(chunks) for _ in chunk]
    for block in fed(chunks)[0]:
        first = read_of[block.offset]
        last = read_of[block.offset + len(block.data) - 1]
        assert block.began_s == first
        assert block.chunks == last - first + 1


def test_the_second_half_of_a_line_end_is_no_read_of_the_next_block() -> None:
    blocks, splitter = fed([b"data: a\r\n\r", b"\n", b"data: b\n\n"])
    assert [block.data for block in blocks] == [b"data: a\r\n\r", b"data: b\n\n"]
    assert [block.offset for block in blocks] == [0, 11]
    assert [block.chunks for block in blocks] == [1, 1]
    assert blocks[1].began_s == 2.0
    assert splitter.received == 20


def test_a_lone_cr_line_end_is_not_held_back() -> None:
    blocks, splitter = fed([b"data: a\r\r"])
    assert [block.data for block in blocks] == [b"data: a\r\r"]
    assert splitter.tail == b""
    assert fed([b"data: a\r"])[1].tail == b"data: a\r"


def feed_for_ever(splitter: Splitter, data: bytes) -> None:
    for _ in range(1_000):
        splitter.feed(data, 0.0)


def test_a_flood_without_a_blank_line_is_bounded() -> None:
    splitter = Splitter()
    with pytest.raises(Flood, match="without a blank line"):
        feed_for_ever(splitter, b"x" * 65_536)
    assert len(splitter.tail) <= tap.MAX_BLOCK_BYTES + 65_536
    with pytest.raises(Flood):
        Splitter().feed(b"\n".join([b"x" * 70] * 30_000), 0.0)


def test_a_flood_of_blocks_is_bounded() -> None:
    splitter = Splitter()
    with pytest.raises(Flood, match="blocks"):
        feed_for_ever(splitter, b"\n" * 1_000)
    assert splitter.received <= tap.MAX_BLOCKS + 1_000


def test_a_flood_of_bytes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "MAX_BODY_BYTES", 10_000)
    splitter = Splitter()
    with pytest.raises(Flood, match="10"):
        feed_for_ever(splitter, b"data: x\n\n" * 10)
    assert splitter.received <= 10_000 + 90


class Counting:
    """Counts how many bytes the search for line ends walks over."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern
        self.walked = 0

    def search(self, data: bytearray, start: int) -> re.Match[bytes] | None:
        found = self.pattern.search(data, start)
        self.walked += (found.end() if found else len(data)) - start
        return found


@pytest.mark.parametrize("end", [b"", b"\r", b"\n"])
def test_a_long_line_is_walked_over_once(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    counting = Counting(tap._LINE_END)
    monkeypatch.setattr(tap, "_LINE_END", counting)
    splitter = Splitter()
    size = 100_000
    for _ in range(size // 10):
        splitter.feed(b"x" * (10 - len(end)) + end, 0.0)
    assert splitter.received == size
    assert counting.walked < 2 * size


def test_the_model_is_no_model_of_itself() -> None:
    body = b"data: a\r\n\r\nid: 7\r\rx\n\n\ny"
    assert model(body)[0] == [b"data: a\r\n\r\n", b"id: 7\r\r", b"x\n\n", b"\n"]
    assert model(body)[1] == b"y"
