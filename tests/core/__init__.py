"""Tests of the vocabulary: files, targets, faults, verdicts."""
