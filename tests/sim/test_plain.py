"""An application that knows nothing of us, under every scenario in virtual time."""

from pathlib import Path

import pytest

from reports.result import Outcome, load
from tests.hostile.driver import unbroken

PLAIN = Path(__file__).with_name("plain") / "plain.toml"


@pytest.mark.timeout(240)
def test_it_is_blamed_for_what_it_does_wrong_and_for_nothing_else(
    tmp_path: Path,
) -> None:
    done = unbroken("run", PLAIN, "--arm", "sim", cwd=tmp_path, within_s=220)
    assert done.status == 1, done.text
    cases = load(tmp_path / "unbroken-results" / "result.json").cases
    outcomes = {one.scenario.partition("::")[2]: one.outcome for one in cases}
    usual = (Outcome.PASSED, Outcome.NOT_APPLICABLE)
    unusual = {name: one for name, one in outcomes.items() if one not in usual}
    assert unusual == {
        "test_silent_connection_is_dropped[broadcast]": Outcome.FAILED,
        "test_one_ping_is_not_for_ever[broadcast]": Outcome.FAILED,
        "test_snapshots_while_the_database_is_away[broadcast]": Outcome.FAILED,
        # Its streams are silent for as long as it waits for the database.
        "test_writes_while_the_database_is_away[broadcast]": Outcome.WARNING,
        "test_back_while_the_database_is_away[broadcast]": Outcome.WARNING,
        "test_slow_database[broadcast]": Outcome.WARNING,
        # Those in a black hole stay; and its queues know no bound, nor `retry`.
        "test_clients_vanish[broadcast]": Outcome.FAILED,
        "test_slow_reader[broadcast]": Outcome.FAILED,
        "test_herd[broadcast]": Outcome.WARNING,
    }
    # json.dumps escapes every character that would take several bytes: one place less.
    cut = "test_cut_at_every_kind_of_byte[broadcast]"
    assert outcomes[cut] is Outcome.PASSED
