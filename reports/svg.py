"""Just enough SVG: elements as strings, every text escaped, shapes as path data.

A kind is told by its shape first and its colour second, for readers who do not see
the colours and for paper.
"""

from xml.sax.saxutils import escape, quoteattr

from reports.inert import one_line

_TITLE_LENGTH = 300


def number(value: float) -> str:
    """A coordinate with one decimal and no tail of zeros."""
    return f"{value:.1f}".removesuffix(".0")


def element(tag: str, *inside: str, **attributes: object) -> str:
    """One element; `cls` is class, a float is a coordinate, `_` in names is `-`."""
    told = "".join(
        f" {_name(name)}={quoteattr(_value(value))}"
        for name, value in attributes.items()
        if value not in ("", None)
    )
    body = "".join(inside)
    return f"<{tag}{told}>{body}</{tag}>" if body else f"<{tag}{told}/>"


def text(content: str, x: float, y: float, **attributes: object) -> str:
    """A text that shows what a target sent inertly."""
    return element("text", escape(one_line(content)), x=x, y=y, **attributes)


def title(content: str) -> str:
    """A tooltip, cut: the log below has everything."""
    line = one_line(content)
    if len(line) > _TITLE_LENGTH:
        line = line[:_TITLE_LENGTH] + "..."
    return f"<title>{escape(line)}</title>"


def shape(kind: str, x: float, top: float, bottom: float) -> str:
    """Path data of one mark of this kind between two heights of a lane."""
    middle = (top + bottom) / 2
    at, mid, low = number(x), number(middle), number(bottom)
    left = number(x - 2.5)
    if kind == "create":
        return f"M{at} {number(top)}V{low}"
    if kind == "update":
        return f"M{left} {mid}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"
    if kind == "delete":
        return f"M{left} {number(middle - 2.5)}l5 5m0-5l-5 5"
    if kind == "ping":
        return f"M{left} {low}h5l-2.5-4z"
    if kind == "reset":
        return f"M{at} {number(middle - 6)}l5 6-5 6-5-6z"
    if kind == "comment":
        return f"M{at} {low}v-3"
    if kind == "snapshot":
        return f"M{left} {number(top)}h5l-2.5 4z"
    return f"M{left} {number(middle - 2.5)}h5v5h-5z"


def close_shape(kind: str, x: float, top: float, bottom: float) -> str:
    """Path data of how a connection ended, just right of its bar."""
    middle = (top + bottom) / 2
    at, mid = number(x), number(middle)
    if kind in ("end", "client"):
        return f"M{at} {number(top)}V{number(bottom)}"
    if kind == "fin":
        return f"M{at} {number(top)}l6 {number(middle - top)}L{at} {number(bottom)}z"
    if kind == "rst":
        return f"M{at} {number(middle - 5)}l8 10m0-10l-8 10"
    if kind == "refused":
        return f"M{at} {mid}a4 4 0 1 0 8 0a4 4 0 1 0-8 0m1 3l6-6"
    if kind == "timeout":
        return f"M{at} {number(middle - 5)}h8l-8 10h8z"
    return f"M{at} {number(middle - 3)}h8m0 6h-8m2-9v12m4 0v-12"


def _name(name: str) -> str:
    return "class" if name == "cls" else name.replace("_", "-")


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
