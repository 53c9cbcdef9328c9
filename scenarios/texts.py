"""Texts that a message may have, and that tell apart who takes them for less."""

TEXTS = (
    "line\u2028and paragraph\u2029separators, next\u0085line",
    "  blanks before, a tab\t, blanks after  ",
    "cr\r alone, crlf\r\n, lf\n\n and an end\n",
    "<b>&amp; \"quoted\", 'so' and \\backslash</b>",
    "e\u0301 decomposed, \u212b of old",
    "\u202e right to left, \ufeff a mark, \U0010ffff the last",
    "data: x\n\nevent: reset\ndata: {}\n\n",
    "long " + "x" * 9_000,
    "wide " + "😀" * 4_900,
)
"""From half a line to nearly as long as a text may be."""
