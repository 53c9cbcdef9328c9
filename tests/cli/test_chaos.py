"""`unbroken chaos` and `unbroken replay` as their user has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_bad_input import refused
from tests.hostile.driver import ROOT, target_file, unbroken

REGRESSIONS = ROOT / "scenarios" / "regressions"

USAGES = {
    "chaos --time 0": "'0' is not a time such as 60s, 10m or 1h",
    "chaos --time soon": "'soon' is not a time",
    "chaos --time 2d": "'2d' is not a time",
    "chaos --profile moon": "does not claim profile 'moon'",
    "chaos --profile log --mutant constant-epoch": "is of profile 'broadcast', not of",
    "chaos --runs 0": "0 is not in the range",
    "chaos --jobs 0": "0 is not in the range",
    "chaos --seed x": "'x' is not a valid integer",
    "chaos --seed -1": "-1 is not in the range",
    "chaos --arm live --twice --runs 1": "--twice compares histories",
    "chaos no-such-target": "unknown target 'no-such-target'",
    "chaos --app nonsense": "--app 'nonsense' must be package.module:application",
    "chaos --mutant no-such": "'no-such'",
    "chaos plain.toml": "'hostile' has no [app]",
    "run plain.toml --arm sim": "'hostile' has no [app]",
    "run --twice": "--twice compares histories",
    "mutants --arm sim --chaos 0": "0 is not in the range",
    "mutants --arm sim --chaos 5 -k cut": "-k 'cut' selects scenarios",
    "replay": "Missing argument",
    "replay missing.json": "missing.json: No such file",
    "replay .": "Is a directory",
}


@pytest.mark.parametrize("usage", USAGES)
def test_usage(usage: str, tmp_path: Path) -> None:
    target_file(tmp_path, ["true"]).rename(tmp_path / "plain.toml")
    refused(unbroken(*usage.split(), cwd=tmp_path), USAGES[usage])


def case(**changes: Any) -> str:
    found: dict[str, Any] = json.loads(next(REGRESSIONS.glob("*.json")).read_bytes())
    return json.dumps(found | changes)


FILES = {
    "empty": ("", "not JSON"),
    "garbage": ("\x00\x01", "not JSON"),
    "foreign": ('{"openapi": "3.1"}', "expected 'unbroken-case'"),
    "future": (case(version=2), "case version 2"),
    "step": (case(steps=[{"step": "explode"}]), "known steps: "),
    "client": (case(steps=[{"step": "cut", "whom": ["zoe"]}]), "'zoe'"),
    "limit": (case(limits={"message_limit": 0, "event_log_limit": 2}), "message_limit"),
    "key": (case(extra=1), "extra"),
    "profile": (case(profile="moon"), "'moon'"),
    "target": (case(target="nobody"), "unknown target 'nobody'"),
    "mutant": (case(mutant="nobody"), "'nobody'"),
}


@pytest.mark.parametrize("name", FILES)
def test_case_file(name: str, tmp_path: Path) -> None:
    text, message = FILES[name]
    (tmp_path / "case.json").write_text(text)
    refused(unbroken("replay", "case.json", cwd=tmp_path), message)


def test_a_find_is_told_kept_and_replayed(tmp_path: Path) -> None:
    done = unbroken("chaos", "--mutant", "constant-epoch", "--jobs", 1, cwd=tmp_path)
    assert done.status == 1, done.text
    assert "FOUND" in done.text
    assert "The server has the deliberate bug 'constant-epoch'." in done.text
    (found,) = (tmp_path / "unbroken-chaos").glob("case-*.json")
    assert f"unbroken replay unbroken-chaos/{found.name}" in done.text
    again = unbroken("replay", found, cwd=tmp_path)
    assert again.status == 1, again.text
    clean = unbroken("replay", found, "--clean", cwd=tmp_path)
    assert clean.status == 0, clean.text
    kept = tmp_path / "unbroken-chaos" / "histories" / f"{found.stem}.jsonl"
    assert unbroken("judge", kept, cwd=tmp_path).status == 1


def test_a_mutant_is_hunted_in_its_own_profile(tmp_path: Path) -> None:
    options = ("--mutant", "log-replay-inclusive", "--runs", 60, "--jobs", 1)
    done = unbroken("chaos", *options, cwd=tmp_path)
    assert done.status == 1, done.text
    assert "FOUND  event/no-duplicate" in done.text
    assert "Profile log: every message is kept." in done.text


def test_a_find_is_kept_when_the_time_is_up(tmp_path: Path) -> None:
    done = unbroken(
        *("chaos", "--mutant", "evicted-resumes", "--keep-going"),
        *("--time", "6s", "--jobs", 2),
        cwd=tmp_path,
    )
    assert done.status == 1, done.text
    assert "FOUND" in done.text


def test_what_cannot_be_run_is_not_tried_for_long(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise RuntimeError('no stock')")
    done = unbroken("chaos", "--app", "shop:app", cwd=tmp_path)
    assert done.status == 3, done.text
    assert "no stock" in done.text
    assert done.seconds < 30


def test_nothing_found_shows_what_was_reached(tmp_path: Path) -> None:
    done = unbroken("chaos", "--runs", 20, "--twice", cwd=tmp_path)
    assert done.status == 0, done.text
    assert "20 runs" in done.text
    assert "0 found" in done.text
    assert "missed/log" in done.text
    assert "run twice: 20 of 20 histories are the same" in done.text


def test_distinct_finds_one_for_each_requirement(tmp_path: Path) -> None:
    done = unbroken(
        *("chaos", "--mutant", "evicted-resumes", "--keep-going", "--runs", 60),
        cwd=tmp_path,
    )
    assert done.status == 1, done.text
    cases = [
        json.loads(path.read_bytes())["found"]["requirement"]
        for path in (tmp_path / "unbroken-chaos").glob("case-*.json")
    ]
    assert "reset/evicted" in done.text
    assert len(set(cases)) == len(cases) == done.text.count("FOUND")
