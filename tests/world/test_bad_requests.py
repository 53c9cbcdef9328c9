"""Bad input: one table, for every profile and target."""

import msgspec
import pytest

from harness.bad_input import MARK, BadRequest, bad_requests, kinds_of
from harness.core.profile import PERSONAL, WINDOWED, Profile
from harness.core.steps import BadKind
from harness.core.target import load_target
from harness.options import find_target

PROFILES = load_target(find_target("reference")).profiles


def table(profile: Profile, message_id: object = 7, **changes: str) -> list[BadRequest]:
    profiled = msgspec.structs.replace(PROFILES[profile], **changes)
    return bad_requests(profile, profiled, uid="a b", message_id=message_id)


@pytest.mark.parametrize("profile", Profile)
def test_what_is_told_of_a_profile_is_what_is_sent(profile: Profile) -> None:
    sent = [(one.kind, one.support) for one in table(profile)]
    assert len(sent) == len(set(sent))
    assert set(sent) == set(kinds_of(profile))
    assert any(support for _, support in sent) == (profile in PERSONAL)


def test_every_kind_is_bad_input_of_some_profile() -> None:
    assert {kind for one in Profile for kind, _ in kinds_of(one)} == set(BadKind)


@pytest.mark.parametrize("profile", Profile)
def test_where_ids_are_words_no_word_is_a_bad_one(profile: Profile) -> None:
    kinds = {one.kind for one in table(profile, "3f2a-uuid")}
    assert (BadKind.BAD_PAGE in kinds) == (profile in WINDOWED)
    assert BadKind.HALF_A_PAGE not in kinds


def test_ids_and_uids_are_quoted_in_paths() -> None:
    paths = {one.path for one in table(Profile.PRIVATE, "a/b#c?d")}
    assert "/private/messages/a%2Fb%23c%3Fd" in paths
    assert "/private/operator/a%20b/messages" in paths


@pytest.mark.parametrize("token", ["x", "open, sesame"])
def test_whatever_the_token_is_half_of_it_can_be_sent(token: str) -> None:
    shown = [
        one.headers["Authorization"]
        for one in table(Profile.LOG, operator_token=token)
        if one.kind is BadKind.HALF_A_TOKEN
    ]
    assert [one.strip() for one in shown] == shown
    assert f"Bearer {token}" not in shown


def test_what_could_be_stored_is_marked() -> None:
    for one in table(Profile.PRIVATE):
        if b'"text": "' in one.content and one.kind is not BadKind.PATCH_EMPTY_TEXT:
            assert MARK in one.content, one.label


def test_labels_are_for_people() -> None:
    labels = [one.label for one in table(Profile.LOG)]
    assert len(labels) == len(set(labels))
    assert "no json" in labels
    assert "no json by support" in labels
