"""What a run is told: pytest's options, shared with the command line."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.arms import ARMS
from harness.core.errors import BadInput
from harness.core.profile import Profile
from harness.core.target import Target, load_target

PREFIX = "--unbroken-"
DEFAULT_OUT = "unbroken-results"
RESULT = "unbroken"
"""Attribute of a test report that carries the case's result."""

TARGETS = Path(__file__).parents[1] / "targets"


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A deliberate bug of a target's `profile`, and the requirement that catches it."""

    name: str
    requirement: str
    description: str = ""
    profile: str = Profile.BROADCAST


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One run's settings; `path` is where the target file was found.

    With `every`, a mutant that was caught meets its other scenarios too. `forks` is
    where all workers may have the target's libraries, imported once.
    """

    target: Target
    path: Path
    profiles: tuple[str, ...]
    arm: str
    out: Path
    seed: int
    every: bool = False
    forks: str = ""


def add(parser: pytest.Parser) -> None:
    """Register pytest's side of the options."""
    group = parser.getgroup("unbroken", "conformance of resumable SSE chat servers")
    group.addoption(PREFIX + "target", default="reference", help="name or TOML file")
    group.addoption(PREFIX + "app", default="", help="package.module:application")
    group.addoption(PREFIX + "profile", default="", help="default: all of the target")
    group.addoption(PREFIX + "arm", default="live", choices=ARMS)
    group.addoption(PREFIX + "out", default=DEFAULT_OUT, help="folder for results")
    group.addoption(PREFIX + "seed", default=0, type=int)
    group.addoption(PREFIX + "requirement", default="", help="ID or pattern")
    group.addoption(PREFIX + "mutants", default="", help="JSON Lines of mutants")
    group.addoption(
        PREFIX + "nightly", action="store_true", help="also what takes a minute each"
    )
    group.addoption(PREFIX + "every", default="", help="caught mutants run on")
    group.addoption(PREFIX + "forks", default="", help="socket of a fork server")


def is_asked(config: pytest.Config) -> bool:
    """Whether a target or a profile was chosen, so that it can be refused at once."""
    return _option(config, "target") != "reference" or bool(_option(config, "profile"))


def settings_of(config: pytest.Config) -> Settings:
    """Read the options; raises `BadInput` that names what is wrong."""
    path = find_target(_option(config, "target"))
    target = load_target(path, app=_option(config, "app"))
    check_arm(target, _option(config, "arm"))
    return Settings(
        target=target,
        path=path,
        profiles=profiles_of(target, _option(config, "profile")),
        arm=_option(config, "arm"),
        out=Path(_option(config, "out")).absolute(),
        seed=config.getoption(PREFIX + "seed"),
        every=bool(_option(config, "every")),
        forks=_option(config, "forks"),
    )


def find_target(name: str) -> Path:
    """A TOML file, or the name of one in `targets/`; raises `BadInput` for neither."""
    folders = (Path("targets"), TARGETS)
    candidates = [Path(name), *(folder / f"{name}.toml" for folder in folders)]
    for path in candidates:
        if path.is_file():
            return path
    known = sorted({one.stem for folder in folders for one in folder.glob("*.toml")})
    raise BadInput(
        f"unknown target {name!r}: neither a TOML file nor one of {', '.join(known)}"
    )


def check_arm(target: Target, arm: str) -> None:
    """Raises `BadInput` when this arm cannot run the target at all."""
    if arm == "sim" and target.app is None:
        raise BadInput(
            f"target {target.name!r} has no [app], and the sim arm hosts nothing else: "
            "add [app] to its file, give --app package.module:name, or use --arm live"
        )


def profiles_of(target: Target, name: str) -> tuple[str, ...]:
    """The profiles to judge: the one of this name, or all for "".

    Raises `BadInput` when the target does not claim it.
    """
    if not name:
        return tuple(target.profiles)
    if name not in target.profiles:
        raise BadInput(
            f"target {target.name!r} does not claim profile {name!r}; it claims "
            f"{', '.join(target.profiles)}"
        )
    return (name,)


def requirement_of(config: pytest.Config) -> str:
    """The requirement id or pattern asked for, "" for all."""
    return _option(config, "requirement")


def nightly_of(config: pytest.Config) -> bool:
    """Whether the scenarios marked `nightly` are wanted too."""
    return bool(config.getoption(PREFIX + "nightly"))


def matches(pattern: str, slugs: Sequence[str]) -> bool:
    """Whether one of these requirements fits (shell patterns, such as `reset/*`)."""
    return any(fnmatch.fnmatchcase(slug, pattern) for slug in slugs)


def mutants_of(config: pytest.Config) -> list[Mutant] | None:
    """The mutants to run against, None without the option."""
    path = _option(config, "mutants")
    return read_mutants(Path(path).read_bytes(), name=path) if path else None


def mutant_named(config: pytest.Config, name: object) -> Mutant | None:
    """The mutant of this name; None for the target as it is."""
    listed = mutants_of(config) or []
    return next((one for one in listed if one.name == name), None)


def read_mutants(data: bytes, *, name: str) -> list[Mutant]:
    """One JSON object a line; raises `BadInput` for anything else."""
    try:
        return [
            msgspec.json.decode(line, type=Mutant)
            for line in data.splitlines()
            if line.strip()
        ]
    except msgspec.MsgspecError as error:
        raise BadInput(f"{name}: not a list of mutants: {error}") from error


def _option(config: pytest.Config, name: str) -> str:
    value = config.getoption(PREFIX + name)
    return str(value)
