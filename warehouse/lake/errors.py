"""What readers and the writer of a lake raise."""


class LakeStateError(RuntimeError):
    """The lake has no exact state for the request; the message says why and what to do."""


class SnapshottedAnew(LakeStateError):
    """The requested LSN lies in the gap before a new snapshot; a later LSN has an exact state."""


class HotLogDamaged(LakeStateError):
    """A frame in the middle of a segment is not what was written; the message names file and offset."""
