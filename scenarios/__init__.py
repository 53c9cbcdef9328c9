"""The cases: one async function each, written against `World`, run on every arm."""
