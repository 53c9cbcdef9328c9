"""Random cases."""
