"""Where a cut lands: choosing the byte and naming the place agree."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.aim import Shot, chunk_overhead, landed, offset_in
from harness.client.tap import Splitter
from harness.core.fault import Aim
from harness.core.history import AnyRecord, CloseKind, Frame
from tests.world.stories import closed, frame, opened, responded


def framed(
    text: str,
    *,
    cursor: str = "3f9a-17",
    kind: str = "create",
    end: str = "\n",
    space: str = " ",
    data_first: bool = False,
) -> str:
    data = msgspec.json.encode({"id": 7, "value": {"text": text, "nonce": "n1"}})
    lines = [f"event:{space}{kind}", f"id:{space}{cursor}"]
    lines.insert(0 if data_first else 2, f"data:{space}{data.decode()}")
    return end.join([*lines, "", ""])


FRAMES = st.builds(
    framed,
    st.text(max_size=20).map(lambda text: text + " ☕"),
    cursor=st.from_regex(r"[0-9a-f]{1,8}(-[0-9]{1,4})?", fullmatch=True),
    kind=st.sampled_from(["create", "update", "delete"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    space=st.sampled_from(["", " "]),
    data_first=st.booleans(),
)


def tail_of(raw: bytes) -> str:
    """What a connection's record shows of these last bytes."""
    splitter = Splitter()
    splitter.feed(b": before\n\n" + raw, 0.0)
    return splitter.tail.decode("utf-8", "backslashreplace")


@settings(max_examples=150, deadline=None)
@given(FRAMES, st.sampled_from(Aim))
def test_the_chosen_byte_is_where_it_lands(text: str, aim: Aim) -> None:
    offset = offset_in(text, aim)
    assert offset is not None
    raw = text.encode()
    assert 0 < offset <= len(raw)
    assert landed(tail_of(raw[:offset])) is aim


@pytest.mark.parametrize("aim", Aim)
def test_a_cursor_may_begin_beyond_ascii(aim: Aim) -> None:
    text = framed("☕", cursor="№1-7")
    offset = offset_in(text, aim)
    assert landed(tail_of(text.encode()[:offset])) is aim


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_every_byte_lands_somewhere(text: str) -> None:
    raw = text.encode()
    places = {landed(tail_of(raw[:cut])) for cut in range(len(raw))}
    assert places == set(Aim)


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("event: create\ndata: x\n\n", Aim.ID_LINE),
        ("id: 7\ndata: x\n\n", Aim.EVENT_LINE),
        ("id: 7\n\n", Aim.DATA_LINE),
        ("data:\n\n", Aim.DATA_LINE),
        ("data: x\n\n", Aim.UTF8_CHARACTER),
    ],
)
def test_a_frame_without_the_place_says_so(text: str, aim: Aim) -> None:
    assert offset_in(text, aim) is None


@pytest.mark.parametrize("size", [1, 15, 16, 255, 256])
def test_chunk_overhead_is_the_length_line(size: int) -> None:
    assert chunk_overhead("x" * size) == len(b"%x\r\n" % size)


SAMPLE = framed("one ☕")


def stream(*texts: str, **headers: str) -> list[AnyRecord]:
    records: list[AnyRecord] = [opened(1, "bob"), opened(2, "alice")]
    records.append(responded(2, headers))
    offset = 0
    for text in texts:
        size = len(text.encode())
        records.append(frame(2, 1, 1.0, text=text, offset=offset))
        offset += size
    return records


def after(records: list[AnyRecord]) -> int:
    last = records[-1]
    assert isinstance(last, Frame)
    return last.offset + len(last.text.encode())


def test_a_shot_learns_from_a_miss() -> None:
    said = ("event: ping\ndata: {}\n\n", SAMPLE, ": hi\n\n")
    records = stream(*said, **{"transfer-encoding": "chunked"})
    shot = Shot(Aim.ID_LINE, "alice", records)
    first = shot.aimed()
    offset = offset_in(SAMPLE, Aim.ID_LINE)
    assert offset is not None
    assert first == chunk_overhead(SAMPLE) + offset
    received = after(records) + offset + 10  # ten bytes further than was meant
    tail = SAMPLE.encode()[: offset + 10].decode("utf-8", "backslashreplace")
    records.append(closed(2, CloseKind.FIN, 2.0, received=received, tail=tail))
    assert not shot.hit()
    records += [opened(3, "alice", 3.0), frame(3, 1, 3.0, text=SAMPLE)]
    assert shot.aimed() == offset - 10  # this one is not chunked
    tail = SAMPLE.encode()[:offset].decode()
    received = len(SAMPLE.encode()) + offset
    records.append(closed(3, CloseKind.FIN, 4.0, received=received, tail=tail))
    assert shot.hit()


def test_a_cut_before_the_first_byte_is_no_hit() -> None:
    records = stream(SAMPLE)
    shot = Shot(Aim.BETWEEN_FRAMES, "alice", records)
    assert shot.aimed()
    records.append(closed(2, CloseKind.FIN, 2.0, received=after(records)))
    assert not shot.hit()


def test_a_cut_that_never_came_is_no_hit() -> None:
    shot = Shot(Aim.DATA_LINE, "alice", stream(SAMPLE))
    assert shot.aimed()
    assert not shot.hit()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_any_frame_with_data_is_a_sample(end: str) -> None:
    text = framed("one", data_first=True, end=end)
    assert Shot(Aim.BETWEEN_FRAMES, "alice", stream(text, ": hi\n\n")).aimed()


def test_without_a_sample_there_is_no_place() -> None:
    for texts in ((), (": hi\n\n",)):
        for aim in Aim:
            assert Shot(aim, "alice", stream(*texts)).aimed() is None
