"""The virtual client: a browser's EventSource and the application around it."""

import sys

# A tenth of a worker's start: httpx's own command line, which nobody here calls.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # known as missing
