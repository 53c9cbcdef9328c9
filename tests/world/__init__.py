"""Tests of aims, observed effects, waits and whole cases."""
