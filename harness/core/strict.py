"""The base of what a target file holds."""

import msgspec


class Strict(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Unknown keys are refused: a misspelt limit must not judge a server."""
