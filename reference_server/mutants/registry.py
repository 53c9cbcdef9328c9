"""How mutants are declared."""

from collections.abc import Callable
from dataclasses import dataclass

from reference_server.components import Components
from reference_server.settings import PROFILES

Build = Callable[[Components], Components]


@dataclass(frozen=True, slots=True)
class Mutant:
    """`requirement` is the id that must catch it, in the scenarios of `profile`."""

    name: str
    requirement: str
    profile: str
    description: str
    build: Build


REGISTRY: dict[str, Mutant] = {}


def mutant(
    name: str, requirement: str, profile: str = "broadcast"
) -> Callable[[Build], Build]:
    """Register the decorated function; its docstring is the description."""

    def register(build: Build) -> Build:
        description = " ".join((build.__doc__ or "").split())
        assert description, name
        assert name not in REGISTRY, name
        assert profile in PROFILES, name
        REGISTRY[name] = Mutant(name, requirement, profile, description, build)
        return build

    return register
