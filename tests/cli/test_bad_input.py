"""Bad usage and input: status 2, one message with the value in it, nothing started."""

from pathlib import Path

import pytest

from tests.hostile.driver import ROOT, Done, unbroken

REFERENCE = (ROOT / "targets" / "reference.toml").read_text()
URL = REFERENCE.partition("[start]")[0] + "[profiles." + (
    REFERENCE.partition("[profiles.")[2]
)  # fmt: skip


def url(address: str) -> str:
    """A target file for a server that runs already."""
    return URL.replace('name = "reference"', f'name = "far"\nurl = "{address}"')


FILES = {
    "broken": ('name = "x"\n[', "not TOML"),
    "empty": ("", "missing required field `name`"),
    "key": (REFERENCE.replace("keepalive_ms = 1", "keepalve_ms = 1"), "keepalive_ms"),
    "place": (REFERENCE.replace("{port}", "{prt}"), "did you mean {port}?"),
    "dotted": (REFERENCE.replace("{port}", "{port.real}"), "port.real"),
    "nul": (REFERENCE.replace('"-m", "ref', '"-m", "\\u0000ref'), "has a NUL"),
    "brace": (REFERENCE.replace("{port}", "{port"), "is malformed"),
    "profile": (REFERENCE.replace("profiles.broadcast", "profiles.brodcast"), "known:"),
    "neither": (URL, "give either url"),
    "far": (url("http://example.org:80"), "'http://example.org:80' is not on this"),
    "tls": (url("https://127.0.0.1:1"), "must be http://HOST:PORT"),
    "port": (url("http://127.0.0.1:99999"), "http://127.0.0.1:99999"),
}

USAGES = {
    "run no-such-target": "unknown target 'no-such-target'",
    "run /": "unknown target '/'",
    "run --profile nope": "does not claim profile 'nope'; it claims broadcast",
    "run --jobs 2 -k nothing_like_it": "no scenario matches -k 'nothing_like_it'",
    "run --jobs 1 --requirement nope/*": "no scenario matches --requirement 'nope/*'",
    "run -k (and": "-k '(and' is malformed",
    "list -k (and": "-k '(and' is malformed",
    "list --requirement [": "no scenario matches --requirement '['",
    "list --coverage -k cut": "--coverage is of everything",
    "run --jobs 0": "0 is not in the range",
    "run --seed x": "'x' is not a valid integer",
    "run --arm moon": "'moon' is not",
    "run --out /proc/nowhere": "cannot write to --out '/proc/nowhere'",
    "run --out /dev/null": "/dev/null",
    "run --out /dev/null/below": "cannot write to --out '/dev/null/below'",
    "mutants --requirement nope": "no mutant of 'reference' fits 'nope'",
    "mutants --all --chaos 5": "--all is of scenarios",
    "judge": "Missing argument",
    "judge missing.jsonl": "missing.jsonl: No such file",
    "judge .": "no .jsonl file in this folder",
    "judge /dev/null": "/dev/null: empty",
    "no-such-command": "No such command",
}


def refused(done: Done, message: str) -> None:
    """Status 2, the message, and nothing but it."""
    assert done.status == 2, done.text
    assert message in done.text
    assert "Traceback" not in done.text
    assert "INTERNALERROR" not in done.text
    assert len(done.text.splitlines()) <= 5


@pytest.mark.parametrize("usage", USAGES)
def test_usage(usage: str, tmp_path: Path) -> None:
    refused(unbroken(*usage.split(), cwd=tmp_path), USAGES[usage])


@pytest.mark.parametrize("name", FILES)
def test_target_file(name: str, tmp_path: Path) -> None:
    text, message = FILES[name]
    (tmp_path / f"{name}.toml").write_text(text)
    done = unbroken("run", f"{name}.toml", cwd=tmp_path)
    refused(done, message)
    assert f"{name}.toml" in done.text


@pytest.mark.parametrize("command", ["run", "mutants", "chaos"])
def test_an_empty_folder_name(command: str, tmp_path: Path) -> None:
    refused(unbroken(command, "--out", "", cwd=tmp_path), "'' is no folder")


def test_target_without_mutants(tmp_path: Path) -> None:
    lines = [one for one in REFERENCE.splitlines() if "mutant" not in one]
    (tmp_path / "plain.toml").write_text("\n".join(lines))
    refused(unbroken("mutants", "plain.toml", cwd=tmp_path), "declares no mutants")


def test_target_that_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "down.toml").write_text(url("http://127.0.0.1:1"))
    done = unbroken("run", "down.toml", "-k", "test_first", cwd=tmp_path)
    assert done.status == 3, done.text
    assert "http://127.0.0.1:1/healthz" in done.text.replace("\n", "")


def test_no_such_program(tmp_path: Path) -> None:
    text = REFERENCE.replace("{python}", "no-such-program").replace("preload", "# ")
    (tmp_path / "gone.toml").write_text(text)
    done = unbroken("run", "gone.toml", "-k", "test_first", "--jobs", 1, cwd=tmp_path)
    assert done.status == 3, done.text
    assert "cannot start 'no-such-program'" in done.text
