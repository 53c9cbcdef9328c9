"""The reference server: the four designs of the note, each a profile."""
