"""Channels: each record in its own, what is everybody's in all of them."""

from harness.checkers.case import Case
from harness.checkers.channels import split
from harness.core.history import F, Invoke, Life, Opened, View
from harness.core.profile import Profile
from tests.checkers.personal import U1, U2, Personal
from tests.checkers.story import Story


def test_a_shared_chat_is_one_channel() -> None:
    it = Story()
    it.begin()
    history = it.end().history()
    assert split(history) == {"": history}


def test_one_user_is_one_channel() -> None:
    history = Personal().end().history()
    assert split(history) == {U1: history}


def test_two_users_are_two() -> None:
    it = Personal()
    it.second()
    it.post()
    it.post(uid=U2)
    it.asked(F.NO_UID, "no cookie", 401)
    it.restart()
    it.end()
    channels = split(it.history())
    assert list(channels) == [U1, U2]
    for uid, one in channels.items():
        assert {r.uid for r in one.records if isinstance(r, Opened)} == {uid}
        asked = [r.uid for r in one.records if isinstance(r, Invoke)]
        assert set(asked) == {uid, ""}  # "": faults, and calls of nobody
        views = {r.who for r in one.records if isinstance(r, View)}
        assert all(it.users[who] == uid for who in views)
        assert sum(isinstance(r, Life) for r in one.records) == 6
        assert [r.n for r in one.records] == sorted(r.n for r in one.records)
    together = {r.n for one in channels.values() for r in one.records}
    assert together == {r.n for r in it.history().records}


def test_each_channel_knows_its_witness() -> None:
    it = Personal()
    it.second()
    channels = split(it.end().history())
    witnesses = {uid: Case(one, uid=uid).witness for uid, one in channels.items()}
    assert witnesses == {U1: "witness", U2: "witness of u2"}


def test_eras_are_lives_or_where_cursors_outlive_them_all_of_them() -> None:
    def eras(profile: Profile) -> list[int]:
        it = Personal(profile=profile)
        it.restart()
        it.restart()
        return [one.number for one in Case(it.end().history()).eras.values()]

    assert eras(Profile.PRIVATE) == [1, 2, 3]
    assert eras(Profile.LOG) == [1, 1, 1]
