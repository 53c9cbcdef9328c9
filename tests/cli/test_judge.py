"""`unbroken judge` with files that are no histories, or not the right ones."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.driver import Done, unbroken

Edit = Callable[[bytes], bytes]


def line_one(old: bytes, new: bytes) -> Edit:
    """Replace in the header only."""
    return lambda data: data.replace(old, new, 1)


BAD: dict[str, tuple[Edit, str]] = {
    "empty": (lambda _data: b"", "nothing to judge"),
    "cut in its first line": (lambda data: data[:30], "nothing to judge"),
    "noise": (lambda _data: bytes(range(256)) + b"\n", "line 1 is no"),
    "foreign": (lambda _data: b'{"format": "har"}\n', "says format 'har'"),
    "of the future": (line_one(b'"version":2', b'"version":9'), "history version 9"),
    "with a hole": (
        lambda data: b"\n".join(data.split(b"\n")[:2] + data.split(b"\n")[3:]),
        "lines are missing",
    ),
    "running backwards": (
        lambda data: re.sub(rb'"n":2,"t_s":[0-9.e-]+', b'"n":2,"t_s":-5.0', data),
        "earlier than the",
    ),
    "two in one": (lambda data: data + data, "line "),
    "deep": (lambda data: data + b"[" * 100_000 + b"\n", "line "),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_history(name: str, history: Path, tmp_path: Path) -> None:
    edit, message = BAD[name]
    path = tmp_path / "it.jsonl"
    path.write_bytes(edit(history.read_bytes()))
    done = unbroken("judge", path, cwd=tmp_path)
    assert done.status == 2, done.text
    assert message in done.text
    assert str(path) in done.text
    assert "Traceback" not in done.text


def test_torn_history_is_no_verdict(history: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(history.read_bytes()[:-20])
    done = unbroken("judge", path, cwd=tmp_path)
    assert done.status == 3, done.text
    assert "the history is torn" in done.text


def test_two_targets_are_refused(history: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    edit = line_one(b'"target":"reference"', b'"target":"another"')
    path.write_bytes(edit(history.read_bytes()))
    done = unbroken("judge", history, path, cwd=tmp_path)
    assert done.status == 2, done.text
    assert "is about another, the first history about reference" in done.text


def test_a_file_named_twice_is_one_case(good: Done, history: Path) -> None:
    done = unbroken("judge", history.parent, history, cwd=good.out)
    assert done.status == 0, done.text
    assert "1 case: 1 passed" in done.text


def test_judge_agrees_with_run(good: Done, history: Path, tmp_path: Path) -> None:
    done = unbroken("judge", history, "--out", ".", cwd=tmp_path, out=tmp_path)
    assert done.status == 0, done.text
    assert done.cases[0]["judgements"] == good.cases[0]["judgements"]
