"""How helpful a review is by its votes: the lower bound of Wilson's interval for the share of those who found it
helpful, at 95 %. So 40 of 50 stand above 1 of 1, and both above a review without votes."""

from math import sqrt

_Z = 1.959963984540054


def wilson(helpful: int, not_helpful: int) -> float:
    """0 without votes, below 1."""
    votes = helpful + not_helpful
    if votes == 0:
        return 0.0
    share, square = helpful / votes, _Z * _Z
    centre = share + square / (2 * votes)
    spread = _Z * sqrt(share * (1 - share) / votes + square / (4 * votes * votes))
    return max(0.0, (centre - spread) / (1 + square / votes))
