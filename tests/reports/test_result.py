"""The result file: what is saved comes back, what is foreign is refused."""

import json
from pathlib import Path

import pytest

from harness.core.errors import BadInput
from reports.result import decode, encode, load, save
from tests.reports import sample


def test_round_trip(tmp_path: Path) -> None:
    result = sample.mixed()
    path = tmp_path / "deep" / "result.json"
    save(result, path)
    assert load(path) == result
    assert [one.name for one in path.parent.iterdir()] == ["result.json"]


def test_file_says_what_it_is() -> None:
    seen = json.loads(encode(sample.mixed()))
    assert (seen["format"], seen["version"]) == ("unbroken-result", 1)
    assert seen["verdict"] == "does not conform"
    assert seen["exit_status"] == 1


def test_half_a_surrogate_pair_does_not_spoil_the_file() -> None:
    result, _ = sample.hostile()
    again = decode(encode(result))
    assert "\\ud800" in again.cases[0].reasons[0]
    assert again.verdict is result.verdict


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no unbroken-result file"),
        (b"[1]", "no unbroken-result file"),
        (b"\xff\xfe", "no unbroken-result file"),
        (b"[" * 100_000, "no unbroken-result file"),
        (b'{"format": "unbroken-history", "version": 1}', "'unbroken-history'"),
        (b'{"format": "unbroken-result", "version": 2}', "version 2"),
        (b'{"format": "unbroken-result", "version": 1}', "missing required field"),
    ],
)
def test_refuses_what_is_no_result(data: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        decode(data, name="some.json")


def test_refusal_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.json: No such file"):
        load(tmp_path / "absent.json")


def test_a_cut_file_is_refused() -> None:
    data = encode(sample.mixed())
    for end in range(0, len(data) - 2, 997):
        with pytest.raises(BadInput):
            decode(data[:end])
