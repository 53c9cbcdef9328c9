"""Cursors that no server ever issued, made from one that it did."""

import re


def bad_cursors(good: str) -> list[str]:
    """Malformed, foreign, negative, oversized and future, made from a good one."""
    made_up = ["garbage", "-1", "-", "0", "1e3", "null", "../../etc/passwd", "%00"]
    long = ["x" * 64, "9" * 200, "y" * 4_000]
    number = re.search(r"\d+$", good)
    if number is None:
        return [*made_up, *long, good[::-1], good + "x"]
    stem, last = good[: number.start()], int(number[0])
    near = [f"{stem}{last + 1_000}", f"{stem}{last}0000000", f"{stem}-{last}", stem]
    foreign = [f"{stem[:-2]}zz-{last}", f"{good};", f"{good}x", f"{stem}{last}.0"]
    return [*made_up, *long, *near, *foreign]
