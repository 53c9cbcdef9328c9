"""[storage] of a target file: what can be declared, and how mistakes are told."""

import pytest

from harness.core.errors import BadInput
from harness.core.target import fill, parse_target
from tests.core.test_target import GOOD, STARTED

SQLITE = '[storage]\nsqlite = "{data}/chat.db"\n'
POSTGRES = '[storage]\npostgres = "chat"\n'
ASKING = STARTED.replace('"{port}"]', '"{port}", "--db", "{postgres}"]')


def test_good_storages() -> None:
    assert parse_target(STARTED, name="t").storage is None
    on_file = parse_target(STARTED + SQLITE, name="t").storage
    assert on_file is not None
    assert on_file.sqlite.format(data="/d") == "/d/chat.db"
    target = parse_target(ASKING + POSTGRES, name="t")
    assert target.storage is not None
    assert target.storage.postgres == "chat"
    assert target.start is not None
    values = {"port": 1, "postgres": "u:p@h:1/chat"}
    assert fill(target.start.command, values, name="t")[-1] == "u:p@h:1/chat"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STARTED + "[storage]\n", "give either sqlite"),
        (STARTED + SQLITE + 'postgres = "chat"\n', "give either sqlite"),
        (STARTED + SQLITE.replace("sqlite", "sqlit"), "mean 'sqlite'"),
        (STARTED + SQLITE.replace("{data}", "/tmp"), "below {data}"),
        (STARTED + SQLITE.replace("{data}", "{port}"), "below {data}"),
        (STARTED + SQLITE.replace("{data}", "{data}{port}"), "below {data}"),
        (STARTED + SQLITE.replace("{data}", "{data"), "below {data}"),
        (GOOD + SQLITE, "cannot be declared with url"),
        (STARTED + POSTGRES.replace("chat", "Chat; DROP"), "must be a plain name"),
        (STARTED + POSTGRES.replace("chat", "x" * 41), "must be a plain name"),
        (ASKING, r"{postgres} needs \[storage\] with postgres = NAME"),
        (ASKING + SQLITE, r"{postgres} needs \[storage\] with postgres = NAME"),
    ],
)
def test_bad_storages(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_target(text, name="t")
