"""Pages back through the history, as far as a target has any."""

from harness.client.calls import Calls, answer_json

MAX_PAGES = 500


async def walk_back(calls: Calls, messages: object, *, number: int) -> None:
    """Ask for page after page, from a snapshot's `messages` to the first message.

    Ends at an empty or malformed page, and at one that is no older than the page
    before: a server that repeats itself would be asked for ever.
    """
    for _ in range(MAX_PAGES):
        oldest = _oldest(messages)
        if oldest is None:
            return
        page = answer_json(await calls.history(load_from=oldest, walk=number))
        messages = page.get("messages") if isinstance(page, dict) else None
        if not _is_older(_oldest(messages), oldest):
            return


def _oldest(messages: object) -> object:
    """`createdAt` of a page's first message; None for an empty or malformed page."""
    if not isinstance(messages, list) or not messages:
        return None
    first = messages[0]
    value = first.get("value") if isinstance(first, dict) else None
    return value.get("createdAt") if isinstance(value, dict) else None


def _is_older(found: object, than: object) -> bool:
    if not isinstance(found, int | float) or not isinstance(than, int | float):
        return found != than
    return found < than
