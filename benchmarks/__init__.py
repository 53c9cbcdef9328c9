"""Measurements: ratios against a baseline taken in the same run, never pass or fail."""
