"""Random cases: drawn, played, steered by the edges they reach, told in sentences."""
