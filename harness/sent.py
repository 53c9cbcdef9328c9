"""What became of a write that a scenario sent."""

from dataclasses import dataclass

from harness.client.calls import Completion, answer_json
from harness.core.errors import Unreached
from harness.core.history import Ok


@dataclass(frozen=True, slots=True)
class Sent:
    """A write into the chat of `uid`: the `event` it makes, whether it stands.

    `done_s` is when it was answered, in seconds of the history.
    """

    event: str
    acked: bool
    done_s: float
    text: str
    known_id: object = None
    uid: str = ""

    @property
    def id(self) -> object:
        """The message's id; raises `Unreached` when the server did not accept it."""
        if self.known_id is None:
            raise Unreached(f"{self.says()} was not acknowledged with an id")
        return self.known_id

    def says(self) -> str:
        """A short phrase for messages."""
        return f"{self.event} {self.text!r}" if self.text else f"{self.event}"


def written(
    done: Completion,
    event: str,
    *,
    uid: str,
    message_id: object = None,
    text: str = "",
) -> Sent:
    """Read a write's completion; a create learns its id from the answer."""
    if event == "create":
        stored = answer_json(done)
        message_id = stored.get("id") if isinstance(stored, dict) else None
    return Sent(event, isinstance(done, Ok), done.t_s, text, message_id, uid)
