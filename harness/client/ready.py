"""Asks a target whether it is ready."""

import asyncio

import httpx

ASK_S = 2.0
"""How long one question for readiness may take, headers that never end included."""


async def ask(http: httpx.AsyncClient, url: str) -> str:
    """ "" when it answers 200, else what came instead."""
    try:
        async with (
            asyncio.timeout(ASK_S),
            http.stream("GET", url, timeout=None) as answer,
        ):
            return "" if answer.status_code == 200 else f"status {answer.status_code}"
    except TimeoutError:
        return f"no answer within {ASK_S:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"
