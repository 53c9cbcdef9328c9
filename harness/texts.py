"""Texts that a message may have, and that tell apart who takes them for less."""

from harness.core.steps import TextKind

TEXTS: dict[TextKind, str] = {
    TextKind.SEPARATORS: "line\u2028and paragraph\u2029separators, next\u0085line",
    TextKind.BLANKS: "  blanks before, a tab\t, blanks after  ",
    TextKind.LINE_ENDS: "cr\r alone, crlf\r\n, lf\n\n and an end\n",
    TextKind.MARKUP: "<b>&amp; \"quoted\", 'so' and \\backslash</b>",
    TextKind.COMPOSED: "\ufeffe\u0301 decomposed, \u212b of old, no \ufffe, no \uffff",
    TextKind.MARKS: "\x00 none, \u202e to the left, \ufeff a mark, \U0010ffff last",
    TextKind.FRAMES: "data: x\n\nevent: reset\ndata: {}\n\n",
    TextKind.LONG: "long " + "x" * 9_000,
    TextKind.WIDE: "wide " + "😀" * 4_900,
}
"""From half a line to nearly as long as a text may be."""
