"""The oracle against a server that shares nothing with the reference but the protocol.

Clean it conforms in every scenario of its profiles. With a bug planted it is blamed for
that bug's requirement, and for nothing that the bug does not explain.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from harness.checkers import judge
from harness.core.codec import load
from harness.core.verdict import Verdict
from tests.foreign.bugs import BUGS

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
UNBROKEN = Path(sys.executable).with_name("unbroken")
TARGET = Path(__file__).with_name("foreign.toml")
PROFILES = ("broadcast", "log")
POSTGRESQL_ONLY = "test_storage.py::test_cut_in_mid_commit"
WITHIN_S = 240.0
KNOWN = "not test_load"
"""It declares no limits for crowds and gives no `retry`, which a herd is warned of."""
USUAL = "broadcast or test_log or test_personal or test_resume or test_write"
"""Of the profile `log` what is its own; `UNBROKEN_FOREIGN=all` runs the rest."""


class Run(msgspec.Struct):
    """What `unbroken mutants` said of the server, and what its histories say.

    `clean` are the scenarios that ran on the clean server, by profile, `unsure` what
    could not be judged of them; `blamed` the requirements found broken, with their
    sentences, by bug ("" for none).
    """

    status: int
    text: str
    clean: dict[str, list[str]] = {}
    unsure: list[str] = []
    blamed: dict[str, dict[str, list[str]]] = {}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Run:
    """The clean server in all scenarios, each bug in those of its requirement.

    Done once, whichever of pytest-xdist's workers comes first.
    """
    folder = tmp_path_factory.getbasetemp()
    done = (folder if worker_id == "master" else folder.parent) / "foreign.json"
    with FileLock(f"{done}.lock"):
        if not done.exists():
            done.write_bytes(msgspec.json.encode(run_all(done.with_suffix(""))))
    return msgspec.json.decode(done.read_bytes(), type=Run)


def run_all(out: Path) -> Run:
    """One run, judged from what it has recorded."""
    rest = os.environ.get("UNBROKEN_FOREIGN") == "all"
    selection = KNOWN if rest else f"({USUAL}) and {KNOWN}"
    command = [UNBROKEN, "mutants", TARGET, "--out", out, "--jobs", 6, "-k", selection]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    found = Run(done.returncode, done.stdout)
    for path in sorted((out / "histories").glob("*.jsonl")):
        note(path, found)
    return found


def note(path: Path, run: Run) -> None:
    """Judge one history."""
    history = load(path)
    header, case = history.header, judge(history)
    blamed = run.blamed.setdefault(header.mutant, {})
    for judgement in case.judgements:
        if judgement.verdict is Verdict.FAIL:
            said = [f.sentence for f in judgement.findings if f.sentence]
            blamed.setdefault(judgement.requirement, []).extend(said[:1])
    if not header.mutant:
        run.clean.setdefault(header.profile, []).append(header.scenario)
        run.unsure += [f"{header.scenario}: {reason}" for reason in case.could_not_run]


def test_the_clean_server_conforms_in_every_scenario(run: Run) -> None:
    assert run.blamed[""] == {}
    assert run.unsure == []
    told = re.search(r"clean server: (\d+) cases, 0 blamed, 0 could not run", run.text)
    assert told, run.text
    skipped = re.findall(r"not applicable (\S+)\[\w+-clean", run.text)
    assert set(skipped) <= {POSTGRESQL_ONLY}
    cases = [len(run.clean[profile]) for profile in PROFILES]
    assert sum(cases) + len(skipped) == int(told[1])
    assert min(cases) > 20


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found_by_its_requirement_and_nothing_else_is_blamed(
    run: Run, name: str
) -> None:
    bug, blamed = BUGS[name], run.blamed[name]
    assert bug.requirement in blamed, run.text
    explained = {bug.requirement, *bug.also}
    assert {slug: said for slug, said in blamed.items() if slug not in explained} == {}


def test_every_bug_was_tried_and_the_run_says_so(run: Run) -> None:
    assert set(run.blamed) == {"", *BUGS}
    assert run.status == 0, run.text
