"""Profiles of a target: each declares what it has, and nothing that it has not."""

import re

import pytest

from harness.core import limits, paths
from harness.core.errors import BadInput
from harness.core.limits import Limits
from harness.core.paths import Paths
from harness.core.profile import Profile
from harness.core.target import Target, parse_target, values_of

ALL = """
name = "mine"
[start]
command = ["run", "{message_limit}", "{event_log_limit}", "{retention_ms}", "{operator_token}"]

[profiles.naive.limits]
message_limit = 20
ping_interval_ms = 1
ping_grace_ms = 1
keepalive_ms = 1
[profiles.naive.paths]
events = "/n/events"
messages = "/n/messages"
message = "/n/messages/{id}"
ping = "/n/ping"
init = "/n/init"
history = "/n/history"

[profiles.broadcast.limits]
message_limit = 30
event_log_limit = 50
ping_interval_ms = 2
ping_grace_ms = 2
keepalive_ms = 2
[profiles.broadcast.paths]
events = "/b/events"
messages = "/b/messages"
message = "/b/messages/{id}"
ping = "/b/ping"
init = "/b/init"
history = "/b/history"

[profiles.log]
operator_token = "s3cret"
[profiles.log.limits]
ping_interval_ms = 3
ping_grace_ms = 3
keepalive_ms = 3
[profiles.log.paths]
events = "/l/events"
messages = "/l/messages"
ping = "/l/ping"
history = "/l/history"
operator = "/l/operator/{uid}/messages"

[profiles.private]
operator_token = "t0ken"
[profiles.private.limits]
retention_ms = 1500
prune_every_ms = 500
ping_interval_ms = 4
ping_grace_ms = 4
keepalive_ms = 4
[profiles.private.paths]
events = "/p/events"
messages = "/p/messages"
message = "/p/messages/{id}"
ping = "/p/ping"
history = "/p/history"
operator = "/p/operator/{uid}/messages"
"""  # noqa: E501 - a command is one line of TOML


def loaded(text: str = ALL) -> Target:
    return parse_target(text, name="t.toml")


def test_a_target_may_serve_all_profiles_at_once() -> None:
    target = loaded()
    assert list(target.profiles) == [str(one) for one in Profile]
    assert target.profiles["naive"].paths.snapshot == "/n/init"
    assert target.profiles["log"].paths.snapshot == "/l/history"


def test_values_are_those_of_the_profile_under_test_and_else_of_the_others() -> None:
    target = loaded()
    naive, log = values_of(target, "naive"), values_of(target, "log")
    assert (naive["message_limit"], naive["ping_interval_ms"]) == (20, 1)
    assert (log["message_limit"], log["ping_interval_ms"]) == (30, 3)
    assert naive["event_log_limit"] == log["event_log_limit"] == 50
    assert naive["retention_ms"] == 1500
    assert (naive["operator_token"], log["operator_token"]) == ("t0ken", "s3cret")


def test_without_a_personal_profile_the_token_is_empty() -> None:
    alone = ALL.partition("[profiles.log]")[0].replace(', "{retention_ms}"', "")
    assert values_of(loaded(alone), "broadcast")["operator_token"] == ""


PLACE = {
    "naive": "profiles.naive",
    "broadcast": "profiles.broadcast",
    "log": "profiles.log",
    "private": "profiles.private",
}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "name", dict.fromkeys(one for row in limits.OWN.values() for one in row)
)
def test_limits_are_asked_for_and_refused(profile: Profile, name: str) -> None:
    head = f"[profiles.{profile}.limits]\n"
    before, _, after = ALL.partition(head)
    own, _, rest = after.partition("[profiles.")
    if name in limits.OWN[profile]:
        own = re.sub(f"(?m)^{name} = .*$", "", own)
        says = f"profiles.{profile}.limits lacks {name}"
    else:
        own += f"\n{name} = 7\n"
        says = f"profiles.{profile}.limits.{name} is 7, and profile {profile} has no"
    with pytest.raises(BadInput, match=re.escape(says)):
        loaded(before + head + own + "[profiles." + rest)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "name", dict.fromkeys(one for row in paths.OWN.values() for one in row)
)
def test_paths_are_asked_for_and_refused(profile: Profile, name: str) -> None:
    head = f"[profiles.{profile}.paths]\n"
    before, _, after = ALL.partition(head)
    own, _, rest = after.partition("[profiles.")
    if name in paths.OWN[profile]:
        own = re.sub(f"(?m)^{name} = .*$", "", own)
        says = f"profiles.{profile}.paths lacks {name}"
    else:
        own += f'\n{name} = "/x"\n'
        says = f"profiles.{profile}.paths.{name} is '/x', and profile {profile} has no"
    text = before + head + own + ("[profiles." + rest if rest else "")
    with pytest.raises(BadInput, match=re.escape(says)):
        loaded(text)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('operator_token = "s3cret"', "", "profiles.log lacks operator_token"),
        ('"t0ken"', '"to\\nken"', "operator_token 'to\\nken' cannot stand in a header"),
        ('"t0ken"', '"té"', "cannot stand in a header"),
        ("/l/operator/{uid}", "/l/operator", "has no {uid}, the place of the user's"),
        ("/p/messages/{id}", "/p/messages", "has no {id}, the place of the message's"),
        ('"/l/events"', '"l/events"', "'l/events' must begin with one slash"),
        ('"/l/events"', '"//l/events"', "'//l/events' must begin with one slash"),
        ('"/l/events"', r'"/l/events\r\nX: y"', r"has '\r', which no path can have"),
        ('"/l/events"', '"/l/ev ents"', "has ' ', which no path can have"),
        ('"/l/events"', '"/l/events?a=b"', "has '?', which no path can have"),
        ('"/l/events"', '"/l/{x}"', "has a place that nothing fills; none is"),
        ("[profiles.log", "[profiles.logs", "'logs'; known: naive, broadcast, log"),
        ("event_log_limit = 50", "event_log_limit = 0", "it is 0, in profile 'broad"),
        ("retention_ms = 1500", "retention_ms = 99999999999", "<= 86400000"),
        (
            "[profiles.naive.limits]",
            '[profiles.naive]\noperator_token = "x"\n[profiles.naive.limits]',
            "only log and private have",
        ),
    ],
)
def test_mistakes_are_told(old: str, new: str, says: str) -> None:
    assert old in ALL
    with pytest.raises(BadInput, match=re.escape(says)):
        loaded(ALL.replace(old, new))


def test_a_placeholder_that_nobody_declares_is_told() -> None:
    alone = ALL.partition("[profiles.private]")[0]
    with pytest.raises(BadInput, match="stands for a limit that no profile"):
        loaded(alone)


def test_the_tables_name_every_limit_and_path_that_not_all_have() -> None:
    for struct, table in ((Limits, limits.OWN), (Paths, paths.OWN)):
        named = {one for row in table.values() for one in row}
        fields = zip(struct.__struct_fields__[-len(struct.__struct_defaults__) :],
                     struct.__struct_defaults__, strict=True)  # fmt: skip
        assert named == {name for name, default in fields if default in (0, "")}
        assert set(table) == set(Profile)
