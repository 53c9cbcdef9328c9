"""The HTML standard's event stream interpretation, written down a second time."""

import re
from dataclasses import dataclass, field

LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r)")


@dataclass
class Interpretation:
    """What a browser does with a body: events dispatched, and what it then holds."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    cursor: str = ""


def interpret(body: bytes) -> Interpretation:
    """Line by line, as "9.2.6 Interpreting an event stream" has it.

    The event type is given as "message" when none was named, as a listener sees it.
    """
    done = Interpretation()
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    data = kind = last_id = ""
    for match in LINE.finditer(text):
        line = match[1]
        if not line:
            done.cursor = last_id
            if data:
                done.events.append((kind or "message", data[:-1], last_id))
            data = kind = ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_id = value
    return done
