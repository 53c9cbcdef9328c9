"""Hypothesis strategies of every record type, and a header to go with them."""

from typing import Any, get_args

import msgspec
from hypothesis import strategies as st

from harness.core.fault import Aim, Close, Fate, Fault, FaultKind, When
from harness.core.history import (
    FORMAT,
    VERSION,
    Answer,
    AnyRecord,
    CloseKind,
    F,
    Header,
    LifePhase,
    Message,
    Request,
)
from harness.core.limits import Limits, Tolerances
from harness.core.nginx import HttpVersion, Nginx
from harness.core.usage import Moment, Usage

LIMITS = Limits(
    message_limit=20,
    event_log_limit=50,
    ping_interval_ms=1_000,
    ping_grace_ms=500,
    keepalive_ms=2_000,
)

KINDS: tuple[Any, ...] = get_args(AnyRecord)

TEXT = st.text(max_size=30)
COUNT = st.integers(0, 2**40)
SECONDS = st.floats(0, 1e6)
HEADERS = st.dictionaries(TEXT, TEXT, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=8,
)


def header(**changes: Any) -> Header:
    fields: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "scenario": "test_x.py::test_y",
        "requirements": ("converge",),
        "arm": "live",
        "seed": 0,
        "target": "t",
        "profile": "broadcast",
        "limits": LIMITS,
        "tolerances": Tolerances(),
        "retry_ms": 100,
    }
    return Header(**fields | changes)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ANSWERS = st.builds(
    Answer,
    status=st.integers(100, 599),
    headers=HEADERS,
    body=TEXT,
    truncated=st.booleans(),
)
REQUESTS = st.builds(
    Request, method=TEXT, path=TEXT, query=HEADERS, body=TEXT, size=COUNT
)
FAULTS = st.builds(
    Fault,
    kind=st.sampled_from(FaultKind),
    whom=st.lists(TEXT, max_size=3).map(tuple),
    when=st.sampled_from(When),
    close=st.sampled_from(Close),
    after_bytes=COUNT,
    aim=optional(st.sampled_from(Aim)),
    delay_ms=COUNT,
    kilobytes_per_s=COUNT,
    slice_bytes=COUNT,
    fate=optional(st.sampled_from(Fate)),
)
NGINX = st.builds(
    Nginx,
    read_timeout_s=SECONDS,
    buffering=st.booleans(),
    gzip=st.booleans(),
    upstream_http=st.sampled_from(HttpVersion),
    shutdown_timeout_s=SECONDS,
)
MESSAGES = st.lists(st.builds(Message, id=JSON, value=JSON), max_size=3).map(tuple)

BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(1, 2**40),
    "t_s": SECONDS,
    "began_s": SECONDS,
    "lag_s": SECONDS,
    "f": st.sampled_from(F),
    "request": optional(REQUESTS),
    "answer": optional(ANSWERS),
    "fault": optional(FAULTS),
    "headers": HEADERS,
    "quiet": optional(st.tuples(SECONDS, SECONDS)),
    "raw": optional(st.binary(max_size=30)),
    "header": optional(TEXT),
    "query": optional(TEXT),
    "messages": MESSAGES,
    "nginx": NGINX,
    "usage": st.builds(Usage, rss_bytes=optional(COUNT), fds=optional(COUNT)),
}
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: COUNT,
    str: TEXT,
    bool: st.booleans(),
    int | None: optional(st.integers(-255, 255)),
    Moment: st.sampled_from(Moment),
    CloseKind: st.sampled_from(CloseKind),
    LifePhase: st.sampled_from(LifePhase),
}


def records_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any record of one type; a field of a new type fails here, not silently."""
    fields = {
        field.name: BY_NAME[field.name]
        if field.name in BY_NAME
        else BY_TYPE[field.type]
        for field in msgspec.structs.fields(kind)
    }
    return st.builds(kind, **fields)


RECORDS = st.one_of([records_of(kind) for kind in KINDS])


def numbered(records: list[Any]) -> list[Any]:
    return [
        msgspec.structs.replace(record, n=number)
        for number, record in enumerate(records, 1)
    ]
