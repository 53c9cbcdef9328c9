"""Target files: every mistake is told with file, key and way out."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import BadInput
from harness.core.target import (
    PLACEHOLDERS,
    Capability,
    fill,
    load_target,
    parse_target,
    placeholders,
    values_of,
)

ROOT = Path(__file__).parents[2]

GOOD = """
name = "mine"
url = "http://127.0.0.1:8080"

[profiles.broadcast.limits]
message_limit = 20
event_log_limit = 50
ping_interval_ms = 1000
ping_grace_ms = 1000
keepalive_ms = 1000

[profiles.broadcast.paths]
events = "/events"
init = "/init"
history = "/history"
messages = "/messages"
message = "/messages/{id}"
ping = "/ping"
"""
START = 'url = ""\n[start]\ncommand = ["run", "--port", "{port}"]\n'
STARTED = GOOD.replace('url = "http://127.0.0.1:8080"', START)


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_good_targets() -> None:
    running = parse_target(GOOD, name="t.toml")
    assert running.address() == ("127.0.0.1", 8080)
    assert not running.abilities
    started = parse_target(STARTED, name="t.toml")
    assert started.abilities == frozenset(Capability)
    limits = started.profiles["broadcast"].limits
    assert limits.max_body_bytes == 65_536
    declared = {"message_limit", "event_log_limit", "ping_interval_ms"}
    declared |= {"ping_grace_ms", "keepalive_ms", "max_body_bytes"}
    assert set(placeholders(limits)) == declared


def test_the_reference_target_loads_and_its_commands_fill() -> None:
    target = load_target(ROOT / "targets" / "reference.toml")
    assert target.start is not None
    values = values_of(target, "broadcast") | {
        "python": "py",
        "port": 1,
        "host": "h",
        "data": "/d",
    }
    command = fill(target.start.command, values, name="t")
    assert command[:3] == ["py", "-m", "reference_server"]
    assert command[command.index("--database") + 1] == "sqlite:////d/chat.db"
    assert command[command.index("--message-limit") + 1] == "20"
    assert fill(target.start.mutant, {"mutant": "m"}, name="t") == ["--mutant", "m"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "not TOML"),
        ("\x00", "not TOML"),
        ("x = " + "[" * 100_000, "not TOML"),
        (GOOD + GOOD, "not TOML"),
        ("", "missing required field `name`"),
        (changed('name = "mine"', ""), "missing required field `name`"),
        (changed('name = "mine"', "name = 5"), r"Expected `str`.*\$.name"),
        (
            changed("message_limit = 20", ""),
            "profiles.broadcast.limits lacks message_limit",
        ),
        (changed("limit = 20", "limit = 0"), r">= 1.*limits.message_limit"),
        (changed("limit = 20", "limit = 2000000"), r"<= 1000000.*message_limit"),
        (changed("limit = 20", 'limit = "20"'), r"Expected `int`.*message_limit"),
        (changed("limit = 20", "limit = 20.5"), r"Expected `int`.*message_limit"),
        (changed("limit = 20", "limit = true"), r"Expected `int`.*message_limit"),
        (changed("limit = 20", "limit = 20\nmesage_limit = 2"), "'message_limit'"),
        (changed("limit = 20", "limit = 20\npingms = 2"), "pingms.*'ping_ms'"),
        (changed("limit = 20", "limit = 20\nzzzzzz = 2"), "zzzzzz.*known: .*'url'"),
        (changed("keepalive_ms = 1000", "keepalive = 1"), "mean 'keepalive_ms'"),
        (changed("name =", "retrys_ms = 1\nname ="), "mean 'retry_ms'"),
        (changed("name =", "retry_ms = 0\nname ="), r">= 1.*retry_ms"),
        (
            changed("name =", 'capabilities = ["fly"]\nname ='),
            r"'fly'.*known: restart, other-port, freeze",
        ),
        (changed('ping = "/ping"', ""), "missing required field `ping`"),
        (changed("/{id}", ""), r"paths.message '/messages' has no {id}"),
        (changed("/{id}", "/:id"), r"'/messages/:id' has no {id}"),
        (GOOD + "[tolerances]\nping_ms = -1\n", r">= 1.*tolerances.ping_ms"),
        (GOOD + "[tolerances]\nevent_log = -1\n", r">= 0.*tolerances.event_log"),
        (GOOD + "[tolerances]\nsettle = 1\n", "mean 'settle_ms'"),
        (
            GOOD.replace("broadcast", "brodcast"),
            "'brodcast'; known: naive, broadcast, log, private",
        ),
        ('name = "x"\nurl = "http://localhost"\n[profiles]\n', r"no \[profiles.NAME\]"),
        (changed('url = "http://127.0.0.1:8080"', ""), "either url"),
        (STARTED.replace('url = ""', 'url = "http://localhost"'), "and not both"),
    ],
    ids=range(30),
)
def test_every_mistake_is_told(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse_target(text, name="some.toml")
    assert str(caught.value).startswith("some.toml: ")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://127.0.0.1:80", "must be http://HOST:PORT"),
        ("127.0.0.1:80", "must be http://HOST:PORT"),
        ("ftp://127.0.0.1", "must be http://HOST:PORT"),
        ("http://127.0.0.1:80/chat", "paths go into"),
        ("http://127.0.0.1:80?x=1", "must be http://HOST:PORT"),
        ("http://127.0.0.1:80#x", "must be http://HOST:PORT"),
        ("http://user:word@127.0.0.1:80", "must be http://HOST:PORT"),
        ("http://127.0.0.1:0", "must be http://HOST:PORT"),
        ("http://127.0.0.1:99999", "99999"),
        ("http://127.0.0.1:http", "http://127.0.0.1:http"),
        ("http://[::1", "Invalid IPv6"),
        ("http://", "not on this machine"),
        ("http://example.com", "only sent to 127.0.0.1"),
        ("http://127.0.0.1.example.com:80", "only sent to 127.0.0.1"),
        ("http://10.0.0.1:80", "only sent to 127.0.0.1"),
        ("http://0.0.0.0:80", "only sent to 127.0.0.1"),
    ],
)
def test_urls_of_elsewhere_or_of_nothing(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)) as caught:
        parse_target(changed("http://127.0.0.1:8080", url), name="some.toml")
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost", ("localhost", 80)),
        ("http://localhost:5/", ("localhost", 5)),
        ("http://[::1]:81", ("::1", 81)),
    ],
)
def test_good_urls(url: str, address: tuple[str, int]) -> None:
    text = changed("http://127.0.0.1:8080", url)
    assert parse_target(text, name="t").address() == address


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("[]", "start.command is empty"),
        ('["run", "{prot}"]', "unknown placeholder {prot}; did you mean {port}?"),
        ('["run", "{mesage_limit}"]', "did you mean {message_limit}?"),
        ('["run", "{zzz}"]', "known: python, port"),
        ('["run", "{port"]', "malformed"),
        ('["run", "}"]', "malformed"),
        ('["run", "{}"]', "malformed"),
        ('["run", "{port.x}"]', "unknown placeholder {port.x}; did you mean {port}?"),
        ('["run", "{port.real}"]', "unknown placeholder {port.real}"),
        (r'["run", "a\u0000b"]', "has a NUL"),
        ('["", "{port}"]', "names no program"),
        ('["run", "{port!z}"]', "malformed"),
        ('["run", "{port:d}"]', "malformed"),
        ('["run", "{message_limit[0]}"]', "malformed"),
        ('["run", "{port[5]}"]', "malformed"),
        ('["run", "{port[x]}"]', "malformed"),
        ('"run"', "Expected `array`"),
        ("[5]", "start.command[0]"),
    ],
)
def test_bad_commands(command: str, says: str) -> None:
    text = changed('["run", "--port", "{port}"]', command, STARTED)
    with pytest.raises(BadInput, match=re.escape(says)) as caught:
        parse_target(text, name="some.toml")
    assert str(caught.value).startswith("some.toml: ")


@pytest.mark.parametrize(
    "line",
    [
        'mutant = ["{mutnat}"]',
        'list_mutants = ["{pyhton}"]',
        'env = {A = "{prot}"}',
    ],
)
def test_placeholders_are_checked_wherever_they_stand(line: str) -> None:
    with pytest.raises(BadInput, match="unknown placeholder"):
        parse_target(STARTED.replace("[start]\n", f"[start]\n{line}\n"), name="t")


def test_literal_braces_and_text_around() -> None:
    assert fill(("{{x}}:{port}!",), {"port": 7}, name="t") == ["{x}:7!"]


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20))
def test_any_command_fills_or_is_bad_input(part: str) -> None:
    values = dict.fromkeys(PLACEHOLDERS, 5)
    try:
        filled = fill((part,), values, name="t")
    except BadInput:
        return
    assert len(filled) == 1


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        parse_target(text, name="t")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, binary):
        with pytest.raises(BadInput, match=str(path)):
            load_target(path)


def test_metrics_are_asked_of_what_runs_already() -> None:
    running = changed('url = "http', 'metrics = "/metrics"\nurl = "http')
    assert parse_target(running, name="t.toml").metrics == "/metrics"
    with pytest.raises(BadInput, match="slash"):
        parse_target(running.replace('"/metrics"', '"metrics"'), name="t.toml")
    started = changed('url = ""', 'metrics = "/metrics"', STARTED)
    with pytest.raises(BadInput, match="measured from outside"):
        parse_target(started, name="t.toml")


def test_what_is_declared_under_load() -> None:
    loaded = parse_target(GOOD + "\n[load]\nbacklog_events = 7\n", name="t.toml").load
    assert (loaded.backlog_events, loaded.memory_mb) == (7, 64)
    values = values_of(parse_target(STARTED, name="t.toml"), "broadcast")
    assert values["backlog_events"] == 1_000
    with pytest.raises(BadInput, match="did you mean 'memory_mb'"):
        parse_target(GOOD + "\n[load]\nmemory_mbs = 7\n", name="t.toml")


@pytest.mark.parametrize(
    ("command", "preload", "env", "says"),
    [
        ('["run"]', '["a"]', "{}", "begins with {python} -m MODULE"),
        ('["{python}", "x.py", "-m"]', '["a"]', "{}", "begins with {python} -m"),
        ('["{python}", "-m"]', '["a"]', "{}", "begins with {python} -m MODULE"),
        ('["{python}", "-m", "x"]', '["a"]', '{TZ = "UTC"}', "start.env sets TZ"),
    ],
)
def test_what_cannot_be_preloaded(
    command: str, preload: str, env: str, says: str
) -> None:
    start = f"{command}\npreload = {preload}\nenv = {env}"
    text = changed('["run", "--port", "{port}"]', start, STARTED)
    with pytest.raises(BadInput, match=re.escape(says)):
        parse_target(text, name="some.toml")
