"""Verdicts of both arms: what agrees, what differs, and what the list may say."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.core.codec import encode
from harness.core.history import Lag
from tests.hostile.driver import unbroken
from tests.parity.differences import Difference
from tests.parity.verdicts import (
    LATE_S,
    MOST_LATE,
    Compared,
    Pair,
    Verdict,
    compared,
    main,
)

OWN = {"bug": "event/no-loss"}
CLEAN: Pair = ("test_x.py::test_it[broadcast-clean]", "")
BUG: Pair = ("test_x.py::test_it[broadcast-bug]", "bug")


def verdict(outcome: str, *broken: str, late_s: float = 0.0) -> Verdict:
    return Verdict(outcome=outcome, broken=frozenset(broken), late_s=late_s)


PASSED = verdict("passed")
CAUGHT = verdict("failed", "event/no-loss")


def of(pair: Pair, live: Verdict, sim: Verdict, shows: str = "") -> Compared:
    """One pair compared, with a list that names it or does not."""
    listed = {pair: Difference(shows=shows, reason="known")} if shows else {}
    return compared({pair: live}, {pair: sim}, OWN, listed)


@pytest.mark.parametrize(
    ("pair", "live", "sim"),
    [
        (CLEAN, PASSED, verdict("failed", "converge")),
        (CLEAN, verdict("warning", "load/herd"), verdict("warning", "stream/no-store")),
        (CLEAN, PASSED, verdict("could not run")),
        (BUG, CAUGHT, PASSED),
        (BUG, CAUGHT, verdict("could not run", "event/no-loss")),
        (BUG, CAUGHT, verdict("failed", "event/order")),
    ],
)
def test_what_differs(pair: Pair, live: Verdict, sim: Verdict) -> None:
    for found in (of(pair, live, sim), of(pair, sim, live)):
        assert list(found.differ) == [pair]
        assert found.status == 1


@pytest.mark.parametrize(
    ("pair", "live", "sim", "beyond"),
    [
        (CLEAN, PASSED, PASSED, ""),
        (BUG, CAUGHT, CAUGHT, ""),
        (BUG, CAUGHT, verdict("failed", "event/no-loss", "converge"), "sim converge"),
    ],
)
def test_what_agrees(pair: Pair, live: Verdict, sim: Verdict, beyond: str) -> None:
    found = of(pair, live, sim)
    assert found.status == 0
    assert found.beyond.get(pair, "") == beyond


def test_a_case_that_one_arm_lacks_differs() -> None:
    all_of_it, a_part = {CLEAN: PASSED, BUG: CAUGHT}, {BUG: CAUGHT}
    assert compared(all_of_it, a_part, OWN, {}).status == 1
    assert compared(a_part, all_of_it, OWN, {}).status == 1


def test_a_scenario_that_one_arm_lacks_has_to_be_listed() -> None:
    other: Pair = ("test_nginx.py::test_it[broadcast-clean]", "")
    unlisted: Pair = ("test_y.py::test_it[broadcast-clean]", "")
    found = compared({other: PASSED, unlisted: PASSED}, {}, OWN, {})
    assert (found.status, found.alone, list(found.differ)) == (1, [other], [unlisted])
    found = compared({other: PASSED}, {other: PASSED}, OWN, {})
    assert (found.status, list(found.wrong)) == (1, [other])


def test_a_listed_difference_counts_while_it_is_there() -> None:
    (shows,) = of(BUG, CAUGHT, PASSED).differ.values()
    assert of(BUG, CAUGHT, PASSED, shows).status == 0
    gone = of(BUG, CAUGHT, CAUGHT, shows)
    assert (gone.status, list(gone.wrong)) == (1, [BUG])
    other = of(BUG, CAUGHT, verdict("could not run"), shows)
    assert (other.status, list(other.wrong)) == (1, [BUG])
    known = {BUG: Difference(shows=shows, reason="x")}
    elsewhere = {("test_x.py::test_else[broadcast-bug]", BUG[1]): PASSED}
    assert list(compared(elsewhere, elsewhere, OWN, known).wrong) == [BUG]
    assert compared({}, {}, OWN, known).status == 0  # a sample without that mutant


def test_a_late_harness_proves_little() -> None:
    late = verdict("failed", "event/no-loss", late_s=LATE_S)
    found = of(BUG, late, PASSED)
    assert (found.status, list(found.late)) == (0, [BUG])
    many = {(f"test_{i}", "bug"): late for i in range(MOST_LATE + 1)}
    assert compared(many, dict.fromkeys(many, PASSED), OWN, {}).status == 3


# ---- the command, on folders ---------------------------------------------------------


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run of one scenario."""
    folder = tmp_path_factory.mktemp("sim")
    done = unbroken(
        *("run", "--arm", "sim", "--profile", "broadcast", "--jobs", 1),
        *("-k", "test_first_frame"),
        cwd=folder,
    )
    assert done.status == 0, done.text
    return done.out


def as_live(sim: Path, folder: Path, old: bytes = b"", new: bytes = b"") -> Path:
    """The same histories, as if they were of the live arm."""
    histories = folder / "histories"
    histories.mkdir(parents=True)
    for path in (sim / "histories").glob("*.jsonl"):
        data = path.read_bytes().replace(b'"arm":"sim"', b'"arm":"live"')
        (histories / path.name).write_bytes(data.replace(old, new) if old else data)
    return folder


def test_equal_runs_agree(sim: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(as_live(sim, tmp_path)), str(sim)])
    assert done.exit_code == 0, done.output
    assert "1 cases of 1 servers on both arms: 0 differ" in done.output


def test_another_verdict_is_found(sim: Path, tmp_path: Path) -> None:
    live = as_live(sim, tmp_path, b"text/event-stream; charset", b"text/plain; charset")
    done = CliRunner().invoke(main, [str(live), str(sim)])
    assert done.exit_code == 1, done.output
    assert "against the clean server: differs: live failed" in done.output
    assert re.search(r"stream/content-type.*, sim passed", done.output)


def test_lags_are_read(sim: Path, tmp_path: Path) -> None:
    live = as_live(sim, tmp_path, b"text/event-stream; charset", b"text/plain; charset")
    (path,) = (live / "histories").iterdir()
    *others, end = path.read_bytes().splitlines(keepends=True)
    number, t_s = re.search(rb'"n":(\d+),"t_s":([0-9.]+)', end).groups()  # type: ignore[union-attr]  # it has both
    number = int(number)
    lag = encode(Lag(n=number, t_s=float(t_s), lag_s=LATE_S))
    later = end.replace(b'"n":%d' % number, b'"n":%d' % (number + 1))
    path.write_bytes(b"".join([*others, lag, later]))
    done = CliRunner().invoke(main, [str(live), str(sim)])
    assert done.exit_code == 0, done.output
    assert "set aside, the live arm was late" in done.output


def test_folders_of_the_wrong_arm_are_refused(sim: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(sim), str(sim)])
    assert (done.exit_code, "is of the sim arm" in done.output) == (2, True)
    done = CliRunner().invoke(main, [str(tmp_path), str(sim)])
    assert (done.exit_code, "no histories" in done.output) == (2, True)
