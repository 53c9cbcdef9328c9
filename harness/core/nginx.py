"""nginx between clients and server: how a case has it configured, as a plain value."""

from enum import StrEnum

import msgspec


class HttpVersion(StrEnum):
    """What nginx speaks to the server."""

    HTTP_1_0 = "1.0"  # the body of a stream ends where the connection does
    HTTP_1_1 = "1.1"  # the body of a stream comes in chunks


class Nginx(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of one middlebox; every default is nginx's own.

    After `read_timeout_s` without a byte from the server nginx ends a stream
    (proxy_read_timeout). `buffering` holds bytes back unless the answer forbids it
    (X-Accel-Buffering). `gzip` compresses streams for clients that accept it. A worker
    that a reload sends away ends its streams after `shutdown_timeout_s`; 0 lets them
    last as long as they like.
    """

    read_timeout_s: float = 60.0
    buffering: bool = True
    gzip: bool = False
    upstream_http: HttpVersion = HttpVersion.HTTP_1_0
    shutdown_timeout_s: float = 0.0
