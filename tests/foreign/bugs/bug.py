"""What a deliberate bug is, and how it is planted.

`also` names what may be blamed besides, and why. The server itself knows none of them:
planting replaces a method of one of its classes.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple


class Bug(NamedTuple):
    """One bug; `plant` puts it in."""

    name: str
    profile: str
    requirement: str
    also: dict[str, str]
    plant: Callable[[], None]

    def told(self) -> dict[str, str]:
        """As `--list-bugs` shows it."""
        return {
            "name": self.name,
            "profile": self.profile,
            "requirement": self.requirement,
            "description": str(self.plant.__doc__),
        }


BUGS: dict[str, Bug] = {}
Plant = Callable[[], None]

FOLLOWS = "what a client was told wrongly it shows wrongly"
LOST = "what a replay lacks is lost to the client"
GONE = "what was acknowledged and is gone is missing there too"
AGAIN = {
    "resume/at-head": "who missed nothing gets it again too",
    "resume/within-log": "what comes again comes before the missed ones",
    "resume/replay-live-join": "what comes again may come where both join",
}


def bug(
    requirement: str, also: dict[str, str] | None = None, *, profile: str = "broadcast"
) -> Callable[[Plant], Plant]:
    """Register a function that plants; its name and docstring are the bug's."""

    def register(plant: Plant) -> Plant:
        name = plant.__name__.replace("_", "-")
        BUGS[name] = Bug(name, profile, requirement, also or {}, plant)
        return plant

    return register


def put(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace a method by one that gets the old one first."""

    def patch(new: Callable[..., Any]) -> None:
        old = getattr(owner, name)

        @wraps(old)
        def method(*rest: Any, **more: Any) -> Any:
            return new(old, *rest, **more)

        setattr(owner, name, method)

    return patch


log_bug = partial(bug, profile="log")
