"""One change, and the two ways in which a stream spells it."""

from typing import NamedTuple

from tests.foreign.wire import Json, to_json


class Event(NamedTuple):
    """`number` counts the events of one room, `mark` is the cursor: its `id:`."""

    number: int
    mark: str
    kind: str
    data: Json

    def briefly(self) -> str:
        """For a replay: data first, lines that end in CR, nothing but what must be."""
        data = to_json(self.data)
        return f"data:{data}\rid:{self.mark}\revent:{self.kind}\r\r\n"

    def at_length(self, whom: int) -> str:
        """Live: a comment for each stream, a field that nobody knows, many lines."""
        data = to_json(self.data, indent=2).replace("\n", "\r\ndata: ")
        return (
            f": for {whom}\r\nid: {self.mark}\r\nweather: fine\r\n"
            f"event: {self.kind}\r\ndata: {data}\r\n\r\n"
        )
