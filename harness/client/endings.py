"""What an exception of httpx says about how a connection ended."""

import httpx

from harness.core.history import CloseKind

_PEER_CLOSED = (
    "peer closed connection",
    "peer unexpectedly closed connection",  # inside the head of the response
    "Server disconnected",
)


def close_kind(error: Exception) -> CloseKind:
    """The close kind at the client's socket (docs/architecture.md has the table).

    Anything else, such as a request that may not be sent, is the harness's own error
    and is raised again.
    """
    match error:
        case httpx.ConnectError():
            return CloseKind.REFUSED
        case httpx.TimeoutException():
            return CloseKind.TIMEOUT
        case httpx.NetworkError():
            return CloseKind.RST
        case httpx.RemoteProtocolError() if str(error).startswith(_PEER_CLOSED):
            return CloseKind.FIN
        case httpx.RemoteProtocolError() | httpx.DecodingError():
            return CloseKind.GARBAGE
    raise error


def said(error: Exception) -> str:
    """An exception's message; its class where it has none, as for a reset."""
    return str(error) or type(error).__name__
