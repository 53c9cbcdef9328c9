"""The sim arm: the real stack of client and server in virtual time, in one process."""
