"""Why a number has no document: what `number_gaps.reason` can hold, in one place.

They are stored for good, so none is ever renamed.
"""

IDEMPOTENT_REPLAY = "idempotent_replay"  # two requests of one key met, and one number was over
NOT_STORED = "not_stored"  # MongoDB refused the document
LOST = "lost"  # reserved, and no document has it: its process was killed, or the document was deleted since
REPAIR_UNUSED = "repair_unused"  # reserved by a repair, and the document changed meanwhile
REPAIR_UNDONE = "repair_undone"  # given by a repair that was taken back
# Up to the last number of an older system, one that no document here has: its document is kept there, or it was
# never used there either.
ISSUED_BY_OLDER_SYSTEM = "issued_by_older_system"

REASONS = (IDEMPOTENT_REPLAY, NOT_STORED, LOST, REPAIR_UNUSED, REPAIR_UNDONE, ISSUED_BY_OLDER_SYSTEM)
