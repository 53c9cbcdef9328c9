"""Pages back through the history, as far as a target has any."""

from collections.abc import Callable

from harness.client.calls import Calls, answer_json

MAX_PAGES = 500

Query = Callable[[object], dict[str, str]]


def by_time(message: object) -> dict[str, str]:
    """The messages created before this one: shared chats page by time."""
    value = message.get("value") if isinstance(message, dict) else None
    created = value.get("createdAt") if isinstance(value, dict) else None
    return {} if created is None else {"loadFrom": str(created)}


def by_id(message: object) -> dict[str, str]:
    """The messages before this one: personal chats page by id."""
    found = message.get("id") if isinstance(message, dict) else None
    return {} if found is None else {"before": str(found)}


async def walk_back(
    calls: Calls, messages: object, *, older: Query, number: int
) -> None:
    """Ask for page after page, from a snapshot's `messages` to the first message.

    Ends at an empty or malformed page, and at one that begins like an earlier one: a
    server that repeats itself would be asked for ever.
    """
    asked: list[dict[str, str]] = []
    for _ in range(MAX_PAGES):
        query = older(messages[0]) if isinstance(messages, list) and messages else {}
        if not query or query in asked:
            return
        asked.append(query)
        page = answer_json(await calls.history(query, walk=number))
        messages = page.get("messages") if isinstance(page, dict) else None
