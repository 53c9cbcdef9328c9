"""Workers of pytest-xdist as forks of one process that has imported everything.

    pytest-xdist ---- starts ----> launcher --- hands over its stdin and stdout --.
         '------ speaks with ------- worker <--- fork --- the process that imported

Half a second of imports a worker is a tenth of what a run computes. Where no fork can
be had, the launcher becomes the worker that pytest-xdist asked for: only slower.
"""
