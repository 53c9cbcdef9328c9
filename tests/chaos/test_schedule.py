"""Case files: what is written is read again, and what is wrong is told how to mend."""

import re
from pathlib import Path

import msgspec
import pytest

from harness.core.errors import BadInput
from harness.core.schedule import (
    CaseLimits,
    Schedule,
    case_hash,
    case_name,
    encode_case,
    every_step,
    load_case,
    narrowed,
    parse_case,
)
from harness.core.steps import During, Open, Tab, Write
from harness.core.target import load_target
from harness.options import find_target
from tests.chaos.samples import EVERYTHING, FAULTS, FOUND, schedule

GOOD = encode_case(schedule(Write(by="alice"), FAULTS[0]))


@pytest.mark.parametrize("case", [schedule(), EVERYTHING])
def test_a_case_is_read_as_it_was_written(tmp_path: Path, case: Schedule) -> None:
    path = tmp_path / case_name(case)
    path.write_bytes(encode_case(case))
    assert load_case(path) == case


def test_the_name_is_of_what_decides_the_run() -> None:
    case = schedule(Write())
    assert re.fullmatch(r"case-[0-9a-f]{12}\.json", case_name(case))
    found = msgspec.structs.replace(case, found=FOUND)
    assert case_hash(found) == case_hash(case)
    assert parse_case(encode_case(found)).found == FOUND
    others = [
        msgspec.structs.replace(case, **{key: value})
        for key, value in {
            "seed": 2,
            "mutant": "x",
            "steps": (Write(count=2),),
            "limits": CaseLimits(message_limit=3, event_log_limit=3),
        }.items()
    ]
    assert len({case_hash(one) for one in (case, *others)}) == 5


def test_steps_inside_blocks_are_found() -> None:
    kinds = [type(step).__name__ for step in every_step(EVERYTHING.steps)]
    assert kinds.count("Update") == 2
    assert kinds.count("Burst") == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{", "no", "not JSON"),
        ("{", "[", "not a case"),
        ('"unbroken-case"', '"unbroken-history"', "format is 'unbroken-history'"),
        ('"format": "unbroken-case",', "", "format is ''"),
        ('"format": "unbroken-case"', '"format": 5', "not a case"),
        ('"version": 1', '"version": 2', "use the release that wrote it"),
        ('"step": "write"', '"step": "wrote"', "known steps: write, update"),
        ('"step": "write"', '"stop": "write"', "known steps: write, update"),
        ('"by": "alice"', '"by": "mallory"', "names client 'mallory'; known: alice"),
        ('"by": "alice"', '"by": "alice", "count": 900', "it is 900: mend or remove"),
        ('"by": "alice"', '"by": "alice", "cuont": 9', "unknown field `cuont`"),
        ('"seed": 1', '"seed": "one"', 'it is "one"'),
        ('"seed": 1', '"sed": 1', "unknown field `sed`"),
        ('"message_limit": 3', '"message_limit": 0', "it is 0"),
        ('"amount": 2000', '"amount": 2001', "must be in 50..2000"),
        ('"latency"', '"kill"', "does not last over a block"),
        ('"latency"', '"magic"', 'it is "magic"'),
        ('"name": "bob"', '"name": "alice"', "two clients named 'alice'"),
        ('"name": "bob"', '"name": "witness"', "harness's own"),
        ('"name": "bob"', '"name": "Bob!"', 'it is "Bob!"'),
    ],
)
def test_a_bad_case_is_refused(old: str, new: str, said: str) -> None:
    text = GOOD.decode()
    assert old in text
    with pytest.raises(BadInput, match=re.escape(said)) as caught:
        parse_case(text.replace(old, new, 1).encode(), name="some.json")
    assert str(caught.value).startswith("some.json: ")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"null", b"[" * 100_000, b'{"format": "unbroken-case"}'],
)
def test_no_case_at_all(data: bytes) -> None:
    with pytest.raises(BadInput):
        parse_case(data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        load_case(tmp_path / "case-none.json")


def test_blocks_lie_only_so_deep() -> None:
    step: During = FAULTS[3]
    for _ in range(8):
        step = msgspec.structs.replace(step, steps=(step,))
    with pytest.raises(BadInput, match="deep"):
        parse_case(encode_case(schedule(step)))


def test_a_client_that_is_opened_later_may_be_named() -> None:
    case = schedule(Write(by="carol"), Open(tab=Tab(name="carol")))
    assert parse_case(encode_case(case)) == case


def test_the_limits_of_a_case_replace_the_declared_ones() -> None:
    target = load_target(find_target("reference"))
    limits = narrowed(target, schedule()).profiles["broadcast"].limits
    assert (limits.message_limit, limits.event_log_limit) == (3, 2)
    assert limits.keepalive_ms == target.profiles["broadcast"].limits.keepalive_ms
    with pytest.raises(BadInput, match="profile 'none such'"):
        narrowed(target, schedule(profile="none such"))


def test_a_limit_that_does_not_reach_the_target_stays_as_declared() -> None:
    target = load_target(find_target("reference"))
    assert target.start is not None
    command = tuple(
        "20" if part == "{message_limit}" else part for part in target.start.command
    )
    start = msgspec.structs.replace(target.start, command=command)
    deaf = msgspec.structs.replace(target, start=start)
    limits = narrowed(deaf, schedule()).profiles["broadcast"].limits
    assert (limits.message_limit, limits.event_log_limit) == (20, 2)


def test_a_limit_that_the_profile_does_not_have_stays_away() -> None:
    target = load_target(find_target("reference"))
    of = CaseLimits(message_limit=3, event_log_limit=2, retention_ms=900)
    for profile, had in {"log": (0, 0, 0), "private": (0, 0, 900)}.items():
        case = schedule(profile=profile, limits=of)
        limits = narrowed(target, case).profiles[profile].limits
        kept = (limits.message_limit, limits.event_log_limit, limits.retention_ms)
        assert kept == had
