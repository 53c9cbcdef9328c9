"""The folder that a run writes to: checked before, and rid of the run before it."""

import shutil
from pathlib import Path

from harness.core.errors import BadInput
from harness.core.history import FORMAT
from harness.judged import CAUGHT, HISTORIES, LOGS

VERDICT = ("result.json", "report.html", "junit.xml")


def prepare(out: Path) -> None:
    """See that results can be written; raises `BadInput` when not."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cannot write to --out {str(out)!r}: {error.strerror}; choose another"
        ) from error


def forget_verdict(out: Path) -> None:
    """A run that does not come to its end must not leave another one's verdict."""
    for path in (out / name for name in VERDICT):
        if path.is_file():
            path.unlink()


def clear(out: Path) -> None:
    """Forget the run before, so that the histories there are of this one.

    Only what a run has written goes, for the folder is the user's.
    """
    forget_verdict(out)
    for history in (out / HISTORIES).glob("*.jsonl"):
        with history.open("rb") as file:
            ours = FORMAT.encode() in file.readline(200)
        if ours:
            history.unlink()
            shutil.rmtree(out / LOGS / history.stem, ignore_errors=True)
    for flag in (out / CAUGHT).glob("*"):
        if flag.is_file() and not flag.stat().st_size:
            flag.unlink()
