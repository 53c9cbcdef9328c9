"""Which mutant is of which profile, as the target lists them."""

import msgspec
import pytest

from harness.commands.listed import mutant_of, profiles_with
from harness.core.errors import BadInput
from harness.core.target import Target, load_target
from harness.options import find_target

ALL = ("broadcast", "naive", "log", "private")


def listing(*lines: str, profiles: tuple[str, ...] = ALL) -> Target:
    """The reference server, but for what it says of its mutants."""
    target = load_target(find_target("reference"))
    assert target.start is not None
    printed = "\n".join(lines).replace("{", "{{").replace("}", "}}")
    start = msgspec.structs.replace(
        target.start, list_mutants=("printf", "%s", printed)
    )
    kept = {name: target.profiles[name] for name in profiles}
    return msgspec.structs.replace(target, start=start, profiles=kept)


DEAF = '{"name": "deaf", "requirement": "converge", "profile": "log"}'
PLAIN = '{"name": "plain", "requirement": "converge"}'


def test_a_mutant_is_hunted_where_it_is_to_be_seen() -> None:
    target = listing(DEAF, PLAIN)
    assert profiles_with(target, ALL, "deaf") == ("log",)
    assert profiles_with(target, ALL, "plain") == ("broadcast",)
    assert profiles_with(target, ALL, "") == ALL
    with pytest.raises(BadInput, match="is of profile 'log', not of naive"):
        profiles_with(target, ("naive",), "deaf")


def test_a_profile_that_the_target_does_not_claim_narrows_nothing() -> None:
    target = listing(PLAIN, profiles=("log",))
    assert profiles_with(target, ("log",), "plain") == ("log",)


def test_an_unknown_name_is_told_with_the_next_one() -> None:
    with pytest.raises(BadInput, match="no mutant 'deef'; did you mean 'deaf'"):
        mutant_of(listing(DEAF), "deef")
