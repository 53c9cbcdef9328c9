"""Deliberate bugs: each breaks one requirement, and as little else as it can.

A mutant swaps components; the clean code does not know that mutants exist.
"""

import json
from collections.abc import Iterator

from reference_server.components import Components
from reference_server.mutants import (  # noqa: F401 - importing them fills REGISTRY
    bad_input,
    cursor,
    event,
    history,
    init,
    isolation,
    late_change,
    load,
    log,
    naive,
    over_refusal,
    ping,
    private,
    rate_limit,
    record,
    refusal,
    reset,
    resume,
    stream,
    text,
    write,
)
from reference_server.mutants.registry import REGISTRY


def apply(name: str, clean: Components) -> Components:
    """The components of the mutant `name`; KeyError when there is none."""
    return REGISTRY[name].build(clean)


def names() -> list[str]:
    """Every mutant's name."""
    return list(REGISTRY)


def listing() -> Iterator[str]:
    """JSON Lines: name, requirement, profile, description."""
    for mutant in REGISTRY.values():
        yield json.dumps(
            {
                "name": mutant.name,
                "requirement": mutant.requirement,
                "profile": mutant.profile,
                "description": mutant.description,
            }
        )
