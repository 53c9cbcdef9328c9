"""Records of one instant: their order in the file is the order in which they came."""

from math import inf

import msgspec

from harness.core.history import AnyRecord, History

TIE_S = 1e-9
"""So much later is the second of two records of the same time; nothing is this fast."""


def untied(history: History) -> History:
    """The same history with times that rise strictly.

    Rules compare times. In virtual time many things happen in one instant, and two
    that tie could be read in the wrong order: an answer after the server's death.
    """
    records: list[AnyRecord] = []
    last_s = -inf
    for record in history.records:
        if record.t_s <= last_s:
            record = msgspec.structs.replace(record, t_s=last_s + TIE_S)
        last_s = record.t_s
        records.append(record)
    return msgspec.structs.replace(history, records=tuple(records))
