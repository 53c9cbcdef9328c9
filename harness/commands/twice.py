"""`--twice`: the same cases again with another hash seed, compared byte by byte."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from rich.console import Console

from harness.commands.choice import Choice, listening
from harness.commands.folder import prepare
from harness.core.errors import BadInput
from harness.judged import HISTORIES

HASH_SEED = "PYTHONHASHSEED"
AGAIN = "twice"
NOT_REPEATED = 3
SHOWN = 5
WIDTH = 300


def check_repeatable(arm: str) -> None:
    """Raises `BadInput` where no two runs can be equal."""
    if arm != "sim":
        raise BadInput(f"--twice compares histories, and --arm {arm!r} has real time")


@contextmanager
def hashed_by(seed: int) -> Iterator[None]:
    """Worker processes that start meanwhile have this hash seed."""
    before = os.environ.get(HASH_SEED)
    os.environ[HASH_SEED] = str(seed)
    try:
        yield
    finally:
        del os.environ[HASH_SEED]
        if before is not None:
            os.environ[HASH_SEED] = before


def repeat(choice: Choice, console: Console, *arguments: str) -> int:
    """Run the choice again and compare; 0 when every history is the same."""
    again = replace(choice, out=choice.out / AGAIN)
    prepare(again.out)
    listener, progress = listening(console)
    try:
        with hashed_by(2):
            again.carry_out(listener, *arguments)
    finally:
        progress.stop()
    names = sorted(path.name for path in (choice.out / HISTORIES).glob("*.jsonl"))
    pairs = [(choice.out / HISTORIES / n, again.out / HISTORIES / n) for n in names]
    return tell_differences(pairs, console)


def tell_differences(pairs: Sequence[tuple[Path, Path]], console: Console) -> int:
    """Print what differs, and how many do not; the exit status."""
    told = [difference(*pair) for pair in pairs]
    differing = [text for text in told if text]
    same = len(pairs) - len(differing)
    console.print(f"run twice: {same} of {len(pairs)} histories are the same")
    for text in differing[:SHOWN]:
        console.print(f"  {text}", markup=False)
    return NOT_REPEATED if differing or not pairs else 0


def difference(one: Path, other: Path) -> str:
    """Where two histories part, "" when their SHA-256 is the same."""
    if not other.exists():
        return f"{one.name}: the second run has none"
    first, second = one.read_bytes(), other.read_bytes()
    if hashlib.sha256(first).digest() == hashlib.sha256(second).digest():
        return ""
    lines = zip_longest(first.splitlines(), second.splitlines(), fillvalue=b"nothing")
    for n, (a, b) in enumerate(lines):
        if a != b:
            return f"{one.name}: op {n} differs: {_shown(a)} / {_shown(b)}"
    return f"{one.name}: the line ends differ"


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return text if len(text) <= WIDTH else text[:WIDTH] + "..."
