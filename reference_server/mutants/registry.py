"""How mutants are declared."""

from collections.abc import Callable
from dataclasses import dataclass

from reference_server.components import Components

Build = Callable[[Components], Components]


@dataclass(frozen=True, slots=True)
class Mutant:
    """`requirement` is the id that must catch it."""

    name: str
    requirement: str
    description: str
    build: Build


REGISTRY: dict[str, Mutant] = {}


def mutant(name: str, requirement: str) -> Callable[[Build], Build]:
    """Register the decorated function; its docstring is the description."""

    def register(build: Build) -> Build:
        description = " ".join((build.__doc__ or "").split())
        assert description, name
        assert name not in REGISTRY, name
        REGISTRY[name] = Mutant(name, requirement, description, build)
        return build

    return register
