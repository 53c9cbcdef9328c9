"""Where a profile's calls live on a target."""

from harness.core.profile import Profile
from harness.core.strict import Strict


class Paths(Strict, frozen=True, kw_only=True):
    """Paths of one profile; "" is a call that its profile does not have.

    `{id}` stands for a message id, `{uid}` for the user to whom support writes.
    """

    events: str
    messages: str
    ping: str
    message: str = ""
    init: str = ""
    history: str = ""
    operator: str = ""

    @property
    def snapshot(self) -> str:
        """Where the state that a client starts from is."""
        return self.init or self.history


OWN: dict[Profile, tuple[str, ...]] = {
    Profile.NAIVE: ("message", "init", "history"),
    Profile.BROADCAST: ("message", "init", "history"),
    Profile.LOG: ("history", "operator"),
    Profile.PRIVATE: ("message", "history", "operator"),
}
"""The paths that some profiles have: required where named, refused elsewhere."""

PLACES = {"message": "{id}", "operator": "{uid}"}
"""What a path must hold a place for."""
