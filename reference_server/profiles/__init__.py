"""One file per profile of the specification (section 2)."""
