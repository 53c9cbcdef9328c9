"""What the chat application shows: the last `limit` messages, oldest first."""

from typing import Any

from harness.core.history import Message


class ChatView:
    """Applies events and snapshots; applying an event twice does no harm.

    Protocol section 6: the client keeps the last `limit` messages interactive, all
    where there is no window (`limit` 0). Window ids are rising integers, so a create at
    or below the newest id of the loaded snapshot is one that the snapshot already
    accounts for: it is either shown, or was deleted or pushed out since. Without a
    window ids are the server's own, and a create is accounted for when it is shown.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[Any, Any] = {}
        self._newest_loaded: int | None = None

    def messages(self) -> tuple[Message, ...]:
        """The messages as they came, oldest first."""
        return tuple(Message(id=i, value=v) for i, v in self._values.items())

    def text_of(self, message_id: object) -> str | None:
        """The text shown for a message, None when it is not shown."""
        if not _is_id(message_id) or message_id not in self._values:
            return None
        return text_of(self._values[message_id])

    def clear(self) -> None:
        """Forget everything (a reset)."""
        self._values.clear()
        self._newest_loaded = None

    def load(self, messages: object) -> None:
        """Start from a snapshot; entries that are no messages are left out."""
        self.clear()
        for entry in messages if isinstance(messages, list) else ():
            if isinstance(entry, dict) and _is_id(entry.get("id")):
                self._values[entry["id"]] = entry.get("value")
        ids = [i for i in self._values if isinstance(i, int)]
        self._newest_loaded = max(ids, default=None)

    def apply(self, event: str, data: object) -> None:
        """Apply one create, update or delete; anything malformed changes nothing."""
        if not isinstance(data, dict) or not _is_id(data.get("id")):
            return
        message_id, value = data["id"], data.get("value")
        if event == "create" and not self._accounted_for(message_id):
            self._values[message_id] = value
            self._evict()
        elif event == "update" and message_id in self._values:
            self._values[message_id] = value
        elif event == "delete":
            self._values.pop(message_id, None)

    def _accounted_for(self, message_id: object) -> bool:
        if not self._limit:
            return message_id in self._values
        return (
            isinstance(message_id, int)
            and self._newest_loaded is not None
            and message_id <= self._newest_loaded
        )

    def _evict(self) -> None:
        while self._limit and len(self._values) > self._limit:
            del self._values[next(iter(self._values))]


def text_of(value: object) -> str:
    """The text of a message's value, "" for anything malformed."""
    text = value.get("text") if isinstance(value, dict) else ""
    return text if isinstance(text, str) else ""


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)
