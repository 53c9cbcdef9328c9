"""The configuration of our nginx: every path is relative to a folder of its own."""

import grp
import os
import pwd

from harness.core.nginx import Nginx

Address = tuple[str, int]

_TEMPLATE = """\
daemon off;
master_process on;
worker_processes 1;
{user}{shutdown}pid nginx.pid;
error_log stderr notice;
events {{
    worker_connections 1024;
}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    gzip {gzip};
    gzip_types text/event-stream;
    server {{
        listen {listen};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version {version};
            proxy_read_timeout {read_timeout_ms}ms;
            proxy_buffering {buffering};
            # Obeyed, and passed on, so that the client records it as well.
            proxy_pass_header X-Accel-Buffering;
        }}
    }}
}}
"""


def configuration(nginx: Nginx, *, listen: Address, upstream: Address) -> str:
    """The whole text; nothing but what `nginx` asks for differs from the defaults."""
    shutdown = (
        f"worker_shutdown_timeout {_ms(nginx.shutdown_timeout_s)}ms;\n"
        if nginx.shutdown_timeout_s
        else ""
    )
    return _TEMPLATE.format(
        user=_user(),
        shutdown=shutdown,
        gzip=_on(nginx.gzip),
        listen=_joined(listen),
        upstream=_joined(upstream),
        version=nginx.upstream_http,
        read_timeout_ms=_ms(nginx.read_timeout_s),
        buffering=_on(nginx.buffering),
    )


def _user() -> str:
    """As root, nginx would leave its folder to an account that may not enter it."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};\n"


def _joined(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1_000))
