"""How files of ours say whose they are, and what reading one of others' raises."""

import msgspec

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What decoding raises: nesting and bad UTF-8 pass msgspec's own errors by."""


class Stamp(msgspec.Struct):
    """Just enough of a file, or of its first line, to say whose it is."""

    format: str = ""
    version: int = 0
