"""Ends a worker process whose parent has died; what it has started ends with it."""

import os
import threading
import time

PARENT_S = 0.2
"""How often a worker looks whether its parent lives: there is no event for it."""

ORPHANED = 3


def end_with_parent() -> None:
    """Look, in a thread, for as long as this process runs."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_S)
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
