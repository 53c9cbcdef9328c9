"""A target: one implementation under test, described by one strict TOML file."""

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.core.errors import BadInput
from harness.core.limits import Limits, Load, Milliseconds, Tolerances
from harness.core.paths import Paths
from harness.core.profiled import Profiled, check_path, check_profiled
from harness.core.start import (
    PLACEHOLDERS,
    App,
    Start,
    check_app,
    check_start,
    fill,
    placeholders_in,
)
from harness.core.storage import Storage, check_storage
from harness.core.strict import Strict

__all__ = [
    "PLACEHOLDERS",
    "App",
    "Capability",
    "Limits",
    "Load",
    "Paths",
    "Profiled",
    "Start",
    "Target",
    "Tolerances",
    "check_app",
    "fill",
    "load_target",
    "parse_target",
    "placeholders",
    "values_of",
]


class Capability(StrEnum):
    """Optional parts of a command target; a scenario without one is not applicable.

    Never a MUST of a profile: what a profile demands cannot be declined.
    """

    RESTART = "restart"  # on the same data, after SIGTERM and SIGKILL
    OTHER_PORT = "other-port"  # restart on another port
    FREEZE = "freeze"  # SIGSTOP and SIGCONT


class Target(Strict, frozen=True, kw_only=True):
    """One implementation: we run it (`start`, `app`), or it runs already (`url`).

    `start` is for the live arm, `app` for the sim arm. Without `storage` the scenarios
    of its faults are not applicable. `metrics` is a path where a target that runs
    already tells its resources (harness.core.metrics).
    """

    name: str
    ready: str = "/healthz"
    metrics: str = ""
    url: str = ""
    start: Start | None = None
    app: App | None = None
    tolerances: Tolerances = Tolerances()
    load: Load = Load()
    retry_ms: Milliseconds = 100
    capabilities: tuple[Capability, ...] = tuple(Capability)
    storage: Storage | None = None
    profiles: dict[str, Profiled]

    @property
    def abilities(self) -> frozenset[Capability]:
        """What scenarios may ask of it; a target that runs already can do nothing."""
        return frozenset(() if self.url else self.capabilities)

    def takes(self, limit: str) -> bool:
        """Whether a value of this limit reaches it, however it is started."""
        ways = []
        if self.start is not None:
            ways.append([*self.start.command, *self.start.env.values()])
        if self.app is not None:
            ways.append(list(self.app.env.values()))
        return bool(ways) and all(
            any(limit in placeholders_in(text) for text in way) for way in ways
        )

    def with_limits(self, profile: str, limits: Mapping[str, int | None]) -> "Target":
        """The same, started with these limits in one of its profiles.

        One that the profile does not have, or that its start does not take, stays as
        declared; so does one that is None.
        """
        profiled = self.profiles[profile]
        declared: dict[str, int] = msgspec.structs.asdict(profiled.limits)
        changes = {
            name: value
            for name, value in limits.items()
            if value and declared[name] and self.takes(name)
        }
        changed: Limits = msgspec.structs.replace(profiled.limits, **changes)
        profiled = msgspec.structs.replace(profiled, limits=changed)
        profiles = self.profiles | {profile: profiled}
        return msgspec.structs.replace(self, profiles=profiles)

    def address(self) -> tuple[str, int]:
        """Host and port of a target that runs already."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80


def load_target(path: Path, *, app: str = "") -> Target:
    """Read a target file; raises `BadInput` that names key, value and way out.

    `app` is an ASGI application to run in place of what the file names.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    return _placed(parse_target(text, name=str(path), app=app), path.parent)


def _placed(target: Target, folder: Path) -> Target:
    """The application's folder in full, so that the target file is not needed again."""
    if target.app is None:
        return target
    app = msgspec.structs.replace(
        target.app, folder=str((folder / target.app.folder).absolute())
    )
    return msgspec.structs.replace(target, app=app)


def parse_target(text: str, *, name: str, app: str = "") -> Target:
    """Read a target from TOML text."""
    try:
        target = msgspec.toml.decode(text, type=Target)
    except msgspec.ValidationError as error:
        hint = _nearest_key(str(error)) + _known_capabilities(str(error))
        hint += _found_there(str(error), text)
        raise BadInput(f"{name}: {error}{hint}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"{name}: not TOML: {error}") from error
    if app:
        target = _with_app(target, app, name)
    _check(target, name)
    return target


def _with_app(target: Target, app: str, name: str) -> Target:
    if target.url:
        raise BadInput(f"{name}: runs already at {target.url!r}; --app {app!r} cannot")
    check_app(app, "--app")
    hosted = msgspec.structs.replace(target.app or App(app=app), app=app)
    return msgspec.structs.replace(target, app=hosted, start=None)


def placeholders(limits: Limits) -> dict[str, Any]:
    """The declared limits as placeholder values."""
    return {
        name: value for name, value in msgspec.structs.asdict(limits).items() if value
    }


def values_of(target: Target, profile: str) -> dict[str, Any]:
    """What the target declares as placeholder values, for a run of one profile.

    A process may serve all profiles at once: what this one does not declare comes from
    the others.
    """
    values: dict[str, Any] = {
        "operator_token": "",
        "profile": profile,
        "backlog_events": target.load.backlog_events,
    }
    for profiled in (*target.profiles.values(), target.profiles[profile]):
        values |= placeholders(profiled.limits)
        if profiled.operator_token:
            values["operator_token"] = profiled.operator_token
    return values


def _check(target: Target, name: str) -> None:
    if bool(target.url) == bool(target.start or target.app):
        raise BadInput(
            f"{name}: give either url (it runs already) or [start] and [app] (a "
            "command, an ASGI application that we run), and not both; url is "
            f"{target.url!r}"
        )
    if not target.profiles:
        raise BadInput(f"{name}: no [profiles.NAME] table; nothing could be judged")
    for profile, profiled in target.profiles.items():
        check_profiled(profile, profiled, name)
    check_path(target.ready, f"{name}: ready")
    if target.metrics:
        _check_metrics(target, name)
    if target.url:
        _check_url(target.url, name)
    if target.storage is not None:
        check_storage(target.storage, name, runs_already=bool(target.url))
    if target.start is not None:
        check_start(target.start, _any_values(target), name)
    if target.app is not None:
        check_app(target.app.app, f"{name}: app.app")
        values = _any_values(target)
        for settings in (target.app.env, target.app.mutant):
            fill(tuple(settings.values()), values, name=name)


def _check_metrics(target: Target, name: str) -> None:
    check_path(target.metrics, f"{name}: metrics")
    if not target.url:
        raise BadInput(
            f"{name}: metrics is {target.metrics!r}, and only a target that runs "
            "already is asked for it; what we start is measured from outside"
        )


def _check_url(url: str, name: str) -> None:
    try:
        parts = urlsplit(url)
        bare = parts.port != 0 and not (parts.query or parts.fragment or "@" in url)
    except ValueError as error:
        raise BadInput(f"{name}: url {url!r}: {error}") from error
    if parts.scheme != "http" or not bare or parts.path not in ("", "/"):
        raise BadInput(
            f"{name}: url {url!r} must be http://HOST:PORT; paths go into "
            "[profiles.NAME.paths]"
        )
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput(
            f"{name}: url {url!r} is not on this machine; faults and load are only "
            "sent to 127.0.0.1, localhost or ::1"
        )


def _any_values(target: Target) -> dict[str, object]:
    values: dict[str, object] = dict.fromkeys(PLACEHOLDERS, "0")
    if target.storage is None or not target.storage.postgres:
        del values["postgres"]
    for profiled in target.profiles.values():
        values |= placeholders(profiled.limits)
    return values


def _found_there(message: str, text: str) -> str:
    """In which profile it is wrong, and the value, where that is a single one."""
    place = re.search(r"at `\$([^`]*)`$", message)
    if place is None:
        return ""
    value, rest = msgspec.toml.decode(text), place[1]
    profile = ""
    if rest.startswith(".profiles[...]"):
        rest = rest.removeprefix(".profiles[...]")
        wrong = [n for n, one in value["profiles"].items() if _is_wrong(one)]
        if not wrong:
            return ""
        profile, value = wrong[0], value["profiles"][wrong[0]]
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", rest):
        value = value[key] if key else value[int(index)]
    single = not isinstance(value, dict | list) and "[...]" not in rest
    said = f"; it is {value!r}"[:100] if single else ""
    return said + (f", in profile {profile!r}" if profile else "")


def _is_wrong(profiled: object) -> bool:
    try:
        msgspec.convert(profiled, Profiled)
    except msgspec.ValidationError:
        return True
    return False


def _nearest_key(message: str) -> str:
    found = re.search(r"unknown field `([^`]+)`", message)
    if found is None:
        return ""
    known = {
        field
        for struct in (
            *(Target, Start, App, Storage),
            *(Paths, Profiled, Limits, Load, Tolerances),
        )
        for field in struct.__struct_fields__
    }
    near = difflib.get_close_matches(found[1], sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {sorted(known)}"


def _known_capabilities(message: str) -> str:
    return f"; known: {', '.join(Capability)}" if "$.capabilities" in message else ""
