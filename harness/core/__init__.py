"""Vocabulary and pure values; imports nothing of ours but itself."""
