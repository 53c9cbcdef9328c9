"""Histories on disk: what is written is read, what is broken is told apart."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.codec import decode, encode, load
from harness.core.errors import BadInput
from harness.core.history import (
    FORMAT,
    AnyRecord,
    Closed,
    CloseKind,
    End,
    Frame,
    History,
    Note,
    Opened,
)
from tests.core.records import (
    FAULTS,
    KINDS,
    LIMITS,
    RECORDS,
    header,
    numbered,
    records_of,
)

WHOLE = [
    Opened(n=1, t_s=0.1, conn=1, who="alice"),
    Frame(
        n=2, t_s=0.2, conn=1, offset=0, began_s=0.2, text="data: ☕\n\n", raw=b"\xff"
    ),
    Closed(n=3, t_s=0.3, conn=1, kind=CloseKind.FIN, received=9),
    Note(n=4, t_s=0.4, text="naïve"),
    End(n=5, t_s=0.5),
]


def file_of(*records: Any) -> bytes:
    return encode(header()) + b"".join(encode(record) for record in records)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_record_type_comes_back_as_it_was(kind: Any) -> None:
    @settings(max_examples=15, deadline=None)
    @given(records_of(kind))
    def check(record: AnyRecord) -> None:
        line = encode(record)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        (record,) = numbered([record])
        assert decode(file_of(record)).records == (record,)

    check()


@settings(max_examples=25, deadline=None)
@given(st.lists(RECORDS.filter(lambda r: not isinstance(r, End)), max_size=6))
def test_whole_files_come_back(records: list[Any]) -> None:
    records = numbered([*records, End(n=1, t_s=9.0)])
    times = sorted(record.t_s for record in records)
    records = [
        msgspec.structs.replace(record, t_s=t_s)
        for record, t_s in zip(records, times, strict=True)
    ]
    history = decode(file_of(*records))
    assert history == History(header=header(), records=tuple(records))
    torn = decode(file_of(*records[:-1]))
    assert torn.torn
    assert torn.records == tuple(records[:-1])


@settings(max_examples=25, deadline=None)
@given(FAULTS)
def test_faults_come_back(fault: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(fault), type=type(fault)) == fault


def test_cut_at_every_byte_loses_nothing_before_the_tear() -> None:
    data = file_of(*WHOLE)
    first_line = data.index(b"\n") + 1
    for cut in range(len(data)):
        if cut < first_line:
            with pytest.raises(BadInput, match="cut inside its first line"):
                decode(data[:cut])
            continue
        history = decode(data[:cut])
        assert history.torn
        whole_lines = data[:cut].count(b"\n") - 1
        assert history.records == tuple(WHOLE[:whole_lines])
    assert not decode(data).torn


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3))
def test_damage_is_bad_input_or_a_history(place: int, new: bytes, gone: int) -> None:
    data = file_of(*WHOLE)
    place %= len(data)
    damaged = data[:place] + new + data[place + gone :]
    try:
        history = decode(damaged, name="h.jsonl")
    except BadInput:
        return
    numbers = [record.n for record in history.records]
    assert numbers == list(range(1, len(numbers) + 1))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode(data)


NESTED = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "nothing to judge"),
        (b"\n", "line 1 is no unbroken-history header"),
        (b"hello\n", "line 1 is no unbroken-history header"),
        (b"{}\n", "expected 'unbroken-history'"),
        (b"[1]\n", "line 1 is no unbroken-history header"),
        (b'{"format": 5}\n', "line 1 is no unbroken-history header"),
        (b'{"format": "\xff"}\n', "line 1 is no unbroken-history header"),
        (b'{"format": "jepsen"}\n', "says format 'jepsen'"),
        (b'{"x": ' + NESTED + b"}\n", "line 1 is no unbroken-history header"),
        (
            b'{"format": "unbroken-history", "version": 99, "new": 1}\n',
            "history version 99, this unbroken reads versions 1 and 2",
        ),
        (b'{"format": "unbroken-history", "version": 1}\n', "line 1: "),
        (file_of() + b"{}\n", "line 2: "),
        (file_of() + b'{"type": "dance", "n": 1, "t_s": 0}\n', "line 2: .*dance"),
        (file_of() + b'{"type":"note","n":1,"t_s":0,"text":"\xff"}\n', "line 2: "),
        (file_of(WHOLE[0]) + b"\xff\xfe\n", "line 3: "),
        (file_of(WHOLE[0]) + b"\n", "line 3: "),
        (file_of() + b'{"type": "view", "x": ' + NESTED + b"}\n", "line 2: "),
        (file_of(WHOLE[1]), "line 2 says n=2, expected 1"),
        (file_of(WHOLE[0], WHOLE[2]), "line 3 says n=3, expected 2"),
        (file_of(WHOLE[0], WHOLE[0]), "line 3 says n=1, expected 2"),
        (file_of(*WHOLE, Note(n=6, t_s=1, text="")), "follow the end record"),
        (file_of(*WHOLE) + file_of(*WHOLE), "line 7: "),
    ],
    ids=range(22),
)
def test_what_is_no_history_is_told_with_its_place(data: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        decode(data, name="some.jsonl")
    assert str(caught.value).startswith("some.jsonl: ")


def test_a_newer_version_is_told_before_its_fields_are_read() -> None:
    line = msgspec.json.encode({"format": FORMAT, "version": 3, "limits": "none"})
    with pytest.raises(BadInput, match="use the release that wrote it"):
        decode(line + b"\n")


def test_histories_of_the_first_version_are_read() -> None:
    """Limits were all written then, uids not at all."""
    fields = msgspec.to_builtins(header()) | {"version": 1}
    opened = b'{"type": "opened", "n": 1, "t_s": 0.5, "conn": 1, "who": "alice"}\n'
    history = decode(msgspec.json.encode(fields) + b"\n" + opened)
    assert history.header.limits == LIMITS
    assert history.records == (Opened(n=1, t_s=0.5, conn=1, who="alice"),)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(BadInput, match=str(path)):
            load(path)
    path = tmp_path / "good.jsonl"
    path.write_bytes(file_of(*WHOLE))
    assert load(path).records == tuple(WHOLE)
