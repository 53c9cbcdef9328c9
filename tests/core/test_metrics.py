"""Prometheus's text format, as far as it tells of resources."""

import pytest

from harness.core.metrics import usage_of
from harness.core.usage import Usage

TEXT = """
# HELP process_open_fds Number of open file descriptors.
# TYPE process_open_fds gauge
process_open_fds 12.0
process_resident_memory_bytes 4.7214592e+07
go_goroutines 9
http_requests_total{code="200",method="get"} 1027 1395066363000
open_connections{listener="main"} 3
"""


def test_the_usual_names() -> None:
    expected = Usage(rss_bytes=47_214_592, fds=12, tasks=9, connections=3)
    assert usage_of(TEXT) == expected


@pytest.mark.parametrize(
    "text",
    ["", "<html>", "process_open_fds", "process_open_fds NaN", "process_open_fds -1",
     "process_open_fds x", "other 5", "process_open_fds +Inf"],
)  # fmt: skip
def test_what_tells_nothing(text: str) -> None:
    assert usage_of(text) is None
