"""What might be given to whom, before somebody decides it."""

from collections.abc import Sequence


def suggested(left_minor: int, open_minor: Sequence[int]) -> list[int]:
    """Return how much each would get of what is left, where those that come first get all that they need."""
    parts = []
    for wanted_minor in open_minor:
        part = max(0, min(left_minor, wanted_minor))
        left_minor -= part
        parts.append(part)
    return parts
