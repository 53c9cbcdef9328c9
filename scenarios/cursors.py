"""Cursors that no server ever issued, made from one that it did."""

import re


def bad_cursors(good: str) -> list[str]:
    """Malformed, foreign, negative, oversized and future, made from a good one.

    None that a lenient reader takes for the good one: that would do no harm.
    """
    made_up = ["garbage", "-1", "-", "0", "1e3", "null", "../../etc/passwd", "%00"]
    long = ["x" * 64, "9" * 200, "y" * 4_000]
    number = re.search(r"(\d+)(\D*)$", good)
    if number is None:
        return [*made_up, *long, good[::-1], good + "x"]
    stem, last, tail = good[: number.start()], int(number[1]), number[2]
    if tail:
        far = (f"{stem}{last}{digits}{tail}" for digits in ("000", "0000000"))
        return [*made_up, *long, *far, f"{stem}-{last}{tail}", good + "x"]
    near = [
        f"{stem}{last + 1}",
        f"{stem}{last + 1_000}",
        f"{stem}{last}0000000",
        f"{stem}-{last}",
        stem,
    ]
    foreign = [f"{stem[:-2]}zz-{last}", f"{good};", f"{good}x", f"{stem}{last}.0"]
    return [*made_up, *long, *near, *foreign]


def bad_queries(good: str) -> list[str]:
    """The same, as only a query can carry them."""
    return ["😀", f"é{good}", f"{good}\0"]
