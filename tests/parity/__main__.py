"""`python -m tests.parity` writes the table of the matrix into docs/simulation.md."""

from tests.parity.table import DOC, written_into

DOC.write_text(written_into(DOC.read_text(encoding="utf-8")), encoding="utf-8")
