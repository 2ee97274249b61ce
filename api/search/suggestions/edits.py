"""How a word may have been mistyped: the number of edits, and how likely they are."""

from functools import cache
from itertools import pairwise

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUNDS = ("aeiouy", "ckq", "sz", "dt", "bp", "fv", "mn", "gj", "vw", "ij")
# In halves of the logarithm of how often a word occurs: so much rarer must a word be that differs in this way.
FIRST_LETTER = 3.0
UNLIKELY = 1.0


def edits(one: str, other: str, most: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours (each letter is edited once) from `one` to `other`;
    `most` + 1 when they are more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def unlikely(typed: str, meant: str) -> float:
    """How unlikely it is that `typed` was written for `meant`, from 0, in the unit of FIRST_LETTER."""
    least = min(len(typed), len(meant))
    head = next((i for i in range(least) if typed[i] != meant[i]), least)
    tail = next((i for i in range(least - head) if typed[-1 - i] != meant[-1 - i]), least - head)
    wrong, right = typed[head : len(typed) - tail], meant[head : len(meant) - tail]
    cost = FIRST_LETTER if head == 0 and wrong[::-1] != right else 0.0
    if len(wrong) == len(right) == 1 and wrong + right not in _near_letters():
        cost += UNLIKELY
    return cost


@cache
def _near_letters() -> frozenset[str]:
    """Pairs of letters that stand side by side on a keyboard, or sound alike."""
    pairs = {a + b for row in _ROWS for a, b in pairwise(row)}
    for upper, lower in pairwise(_ROWS):
        for i, letter in enumerate(lower):
            pairs |= {letter + other for other in upper[i : i + 2]}
    pairs |= {a + b for sound in _SOUNDS for a in sound for b in sound if a != b}
    return frozenset(pairs | {pair[::-1] for pair in pairs})
