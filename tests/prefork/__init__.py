"""Workers of pytest-xdist as forks."""
