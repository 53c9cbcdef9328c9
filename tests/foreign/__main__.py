"""Starts the server: `python -m tests.foreign --port N --data FOLDER ...`."""

import argparse
import asyncio
import json
from pathlib import Path

from tests.foreign.bugs import BUGS
from tests.foreign.server import run


def main() -> None:
    """Read the flags; the limits are those that the target file declares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--token", default="")
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--list-bugs", action="store_true")
    defaults = {"window": 500, "events": 1000, "body": 65_536, "ping": 20_000}
    for name, value in (defaults | {"grace": 20_000, "keepalive": 15_000}).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    if options.list_bugs:
        for bug in BUGS.values():
            print(json.dumps(bug.told()))  # noqa: T201 - asked for
        return
    if options.bug:
        BUGS[options.bug].plant()
    asyncio.run(run(options))


main()
