"""The recorder: the file is the records, and a full disk says so."""

import os
from pathlib import Path

import pytest

from harness.core.codec import encode, load
from harness.core.errors import HarnessError
from harness.core.history import End, Note
from harness.core.recorder import Recorder
from tests.core.records import header


def test_the_file_is_what_was_recorded_at_every_moment(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "h.jsonl"
    clock = iter([0.0000001, 1.23456789, 2.0])
    recorder = Recorder(path, header(), lambda: next(clock))
    woken = []
    recorder.on_add = lambda: woken.append(len(recorder.records))
    for number in (1, 2):
        note = recorder.add(Note, text=f"☕ {number}")
        assert note.n == number
        assert load(path).records == tuple(recorder.records)
        assert load(path).torn
    recorder.add(End)
    assert load(path) == recorder.history()
    assert [record.t_s for record in recorder.records] == [0.0, 1.234568, 2.0]
    assert woken == [1, 2, 3]
    assert [recorder.next_connection() for _ in range(3)] == [1, 2, 3]
    recorder.close()
    lines = [encode(header()), *(encode(record) for record in recorder.records)]
    assert path.read_bytes() == b"".join(lines)


def test_a_full_disk_is_told_with_path_and_way_out() -> None:
    with pytest.raises(HarnessError, match=r"/dev/full .* --out") as caught:
        Recorder(Path("/dev/full"), header(), lambda: 0.0)
    assert "No space left" in str(caught.value)


def test_a_disk_that_fills_up_is_told_each_time(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    recorder = Recorder(path, header(), lambda: 0.0)
    recorder.add(Note, text="fits")
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), recorder._file.fileno())
    for _ in range(2):
        with pytest.raises(HarnessError, match="No space left"):
            recorder.add(Note, text="does not")
    recorder.close()
    assert [record.n for record in load(path).records] == [1]


NOBODY = 65_534


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # root writes everywhere
        os.seteuid(NOBODY)
    try:
        with pytest.raises(HarnessError, match=r"Permission denied.*--out"):
            Recorder(tmp_path / "h.jsonl", header(), lambda: 0.0)
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "h.jsonl", tmp_path, Path("/proc/new/h.jsonl")):
        with pytest.raises(HarnessError, match=r"cannot be written.*--out") as caught:
            Recorder(path, header(), lambda: 0.0)
        assert str(path) in str(caught.value)
