"""Unbroken's harness: virtual clients, faults, histories and the oracle."""
