"""One good run that the tests of this folder share."""

from pathlib import Path

import pytest

from tests.hostile.driver import Done, unbroken

SCENARIO = "test_first_frame"


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The reference server against one scenario, in one profile."""
    folder = tmp_path_factory.mktemp("good")
    profile = ("--profile", "broadcast")
    return unbroken("run", "-k", SCENARIO, *profile, "--jobs", 1, cwd=folder)


@pytest.fixture(scope="session")
def history(good: Done) -> Path:
    """Its history."""
    assert good.status == 0, good.text
    (path,) = (good.out / "histories").glob("*.jsonl")
    return path
