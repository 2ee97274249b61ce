"""How alike two texts are, by hashes that an index finds.

A text's *signature* is the least hash of its runs of three words under each of `HASHES` functions (MinHash): two texts
agree in the share of them that their runs have in common. `BANDS` of it are stored as numbers: texts of which six runs
in ten are the same share one in 86 % of cases, eight in ten in more than 99 %, and three in ten in 20 %, which the
signatures then tell apart.
"""

import hashlib
from collections.abc import Sequence

from api.reviews.judging.wording import words

HASHES, BANDS = 24, 8
ROWS = HASHES // BANDS
RUN = 3
# People say the same in a few words: shorter texts are like no other.
LEAST_WORDS = 8
# From this share on one text was made from the other.
ALIKE = 0.6
_PRIME = (1 << 61) - 1


def _numbers(seed: str, count: int) -> list[int]:
    return [int.from_bytes(hashlib.blake2b(f"{seed}{n}".encode(), digest_size=7).digest()) | 1 for n in range(count)]


_FACTORS, _ADDENDS = _numbers("factor", HASHES), _numbers("addend", HASHES)


def signature(text: str) -> list[int] | None:
    """`HASHES` numbers of 32 bits, the same for the same words whatever their case and marks; None for a short text."""
    said = words(text)
    if len(said) < LEAST_WORDS:
        return None
    runs = {" ".join(said[n : n + RUN]) for n in range(len(said) - RUN + 1)}
    hashes = [int.from_bytes(hashlib.blake2b(run.encode(), digest_size=7).digest()) for run in runs]
    return [
        min((factor * one + addend) % _PRIME for one in hashes) & 0x7FFF_FFFF
        for factor, addend in zip(_FACTORS, _ADDENDS, strict=True)
    ]


def bands(signed: Sequence[int]) -> list[int]:
    """`BANDS` signed numbers of 64 bits: texts that share one may be alike."""
    return [
        int.from_bytes(
            hashlib.blake2b(f"{n}:{signed[n * ROWS : (n + 1) * ROWS]}".encode(), digest_size=8).digest(), signed=True
        )
        for n in range(BANDS)
    ]


def likeness(one: Sequence[int], other: Sequence[int]) -> float:
    """The share of runs that two texts have in common, by their signatures: 0 to 1."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / HASHES
