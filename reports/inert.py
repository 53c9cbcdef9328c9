"""Text of a target made harmless to look at: nothing hidden, nothing that acts."""

import re

_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # unseen
    "\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff"  # zero width, bidi, separators
    "\ud800-\udfff\ufdd0-\ufdef\ufff0-\uffff"  # surrogates, not characters
    "\U000e0000-\U000e0fff"  # tags and variation selectors
    "]"
)


def escape_of(character: str) -> str:
    """One character as a Python escape: `\\x1b`, `\\u202e`."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def inert(text: str) -> str:
    """The text with each acting character written out as an escape.

    A target may answer with terminal sequences, bidi overrides or half a surrogate
    pair; a report must neither obey nor hide them, and must stay encodable.
    """
    return _ACTING.sub(lambda found: escape_of(found[0]), text)


def one_line(text: str) -> str:
    """Inert text on one line: newlines and tabs are written out as well."""
    return inert(text).replace("\n", "\\n").replace("\t", "\\t")


def pieces(text: str) -> list[tuple[bool, str]]:
    """The text cut into (acting?, piece): an acting piece is an escape already."""
    cut: list[tuple[bool, str]] = []
    start = 0
    for found in _ACTING.finditer(text):
        if found.start() > start:
            cut.append((False, text[start : found.start()]))
        cut.append((True, escape_of(found[0])))
        start = found.end()
    if start < len(text):
        cut.append((False, text[start:]))
    return cut
