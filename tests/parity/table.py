"""The matrix as Markdown, for docs/simulation.md, where a test holds it up to date."""

from pathlib import Path

from harness.chaos.phases import Phase
from tests.parity.differences import DIFFERENCES
from tests.parity.faults import ROWS

DOC = Path(__file__).parents[2] / "docs" / "simulation.md"
BEGIN = "<!-- parity: written by `python -m tests.parity` -->\n"
END = "<!-- /parity -->\n"


def table() -> str:
    """Faults down, phases across, the reasons below."""
    reasons: dict[str, str] = {}
    lines = [
        f"| fault | {' | '.join(Phase)} |",
        "|---" * (len(Phase) + 1) + "|",
        *(
            f"| {name} | {' | '.join(_cell(name, p, reasons) for p in Phase)} |"
            for name in ROWS
        ),
        "",
        *(f"- ({letter}) {reason}." for reason, letter in reasons.items()),
    ]
    return "\n".join(lines) + "\n"


def _cell(name: str, phase: Phase, reasons: dict[str, str]) -> str:
    senseless = ROWS[name].senseless.get(phase)
    if senseless is not None:
        return f"– ({_letter(senseless, reasons)})"
    difference = DIFFERENCES.get((name, phase))
    if difference is not None:
        return f"differs ({_letter(difference.reason, reasons)})"
    return "same"


def _letter(reason: str, reasons: dict[str, str]) -> str:
    return reasons.setdefault(reason, chr(ord("a") + len(reasons)))


def written_into(text: str) -> str:
    """The document's text with the table of today."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{DOC.name} has no line {BEGIN!r}"
    assert end, f"{DOC.name} has no line {END!r}"
    return f"{before}{begin}\n{table()}\n{end}{after}"
