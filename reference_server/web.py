"""HTTP answers and bodies, the same for every profile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from reference_server.core.frames import to_json
from reference_server.core.validation import Refused, parse_message_id
from reference_server.database import StoreUnavailableError

# Section 3: "`Cache-Control: no-store` everywhere".
NO_STORE = {"Cache-Control": "no-store"}
BODY_TIMEOUT_S = 30.0

Handler = Callable[[Request], Awaitable[ASGIApp]]


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(
        to_json(value),
        status_code=status,
        headers=NO_STORE,
        media_type="application/json",
    )


def no_content() -> Response:
    """204."""
    return Response(status_code=204, headers=NO_STORE)


def failure(status: int, code: str, message: str) -> Response:
    """Section 3: `{error: {code, message}}`."""
    return answer({"error": {"code": code, "message": message}}, status)


def route(path: str, **handlers: Handler) -> Route:
    """One path with a handler a method; any other method is a 405."""

    async def dispatch(request: Request) -> ASGIApp:
        handler = handlers.get(request.method)
        if handler is None:
            raise HTTPException(405, headers={"Allow": ", ".join(handlers)})
        return await handler(request)

    made = Route(path, dispatch)
    made.methods = None
    return made


async def read_body(request: Request, limit: int) -> bytes:
    """The body; refused as soon as it is known to be longer than `limit` bytes."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise Refused(408, "timeout", "the body did not arrive in time") from None
    return bytes(body)


def message_id(request: Request) -> int:
    """What cannot be a message id is "not interactive or unknown: 404"."""
    found = parse_message_id(request.path_params["id"])
    if found is None:
        raise Refused(404, "not_interactive", "no message has such an id")
    return found


def _too_large(limit: int) -> Refused:
    return Refused(413, "too_large", f"the body is longer than {limit} bytes")


async def on_http_error(_: Request, error: Exception) -> Response:
    """What the router refuses: 404 and 405."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
    response = failure(error.status_code, code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def on_refused(_: Request, error: Exception) -> Response:
    """write/bad-input: "4xx and an error body"."""
    assert isinstance(error, Refused)
    response = failure(error.status, error.code, error.message)
    response.headers.update(error.headers)
    return response


async def on_store_unavailable(_: Request, error: Exception) -> Response:
    """write/before-broadcast: "the caller gets a 5xx and can try again"."""
    return failure(503, "store_unavailable", f"the database refused: {error}")


async def on_client_gone(_: Request, __: Exception) -> Response:
    """Nobody is left to read this."""
    return failure(400, "client_gone", "the client left before its body was read")


async def on_bug(_: Request, __: Exception) -> Response:
    """A bug of this server; the traceback goes to stderr."""
    return failure(500, "internal", "the server failed")


EXCEPTION_HANDLERS: dict[Any, ExceptionHandler] = {
    HTTPException: on_http_error,
    Refused: on_refused,
    StoreUnavailableError: on_store_unavailable,
    ClientDisconnect: on_client_gone,
    Exception: on_bug,
}
