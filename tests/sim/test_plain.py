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
    done = unbroken("run", PLAIN, "--arm", "sim", cwd=tmp_path)
    assert done.status == 1, done.text
    cases = load(tmp_path / "unbroken-results" / "result.json").cases
    outcomes = {one.scenario.partition("::")[2]: one.outcome for one in cases}
    unusual = {k: v for k, v in outcomes.items() if v is not Outcome.PASSED}
    assert unusual == {
        "test_silent_connection_is_dropped": Outcome.FAILED,
        "test_snapshots_while_the_database_is_away": Outcome.FAILED,
        # Its streams are silent for as long as it waits for the database.
        "test_writes_while_the_database_is_away": Outcome.WARNING,
        "test_back_while_the_database_is_away": Outcome.WARNING,
        "test_slow_database": Outcome.WARNING,
        # It takes a PostgreSQL.
        "test_cut_in_mid_commit[kept]": Outcome.NOT_APPLICABLE,
        "test_cut_in_mid_commit[lost]": Outcome.NOT_APPLICABLE,
        # json.dumps escapes every character that would take several bytes.
        "test_cut_at_every_kind_of_byte[inside-a-UTF-8-character]": (
            Outcome.NOT_APPLICABLE
        ),
    }
