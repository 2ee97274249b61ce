"""UUIDv7 by the column: a row's id carries the row's own time, and the same set gives the same ids every time.

The 74 random bits of RFC 9562 come from SplitMix64 over (set, kind, key) instead of a random source.
"""

import hashlib
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
_DIGITS: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# Where the 32 hex digits go in the 36 characters of 8-4-4-4-12.
_POSITIONS: Final = np.array([i for i in range(36) if i not in {8, 13, 18, 23}])


def splitmix64(values: U64) -> U64:
    """A well-distributed 64-bit value for each input; equal inputs give equal outputs on every machine."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class Ids:
    """The ids of one set. `name` separates sets: the same key in another set is another id."""

    def __init__(self, name: str) -> None:
        self.name = name

    def noise(self, kind: str, keys: pl.Series) -> U64:
        """64 deterministic bits per key, independent between kinds: the seed
        of every rule that derives missing data."""
        digest = hashlib.blake2b(f"{self.name}:{kind}".encode(), digest_size=8).digest()
        return splitmix64(keys.cast(pl.Int64).to_numpy().astype(np.uint64) ^ np.uint64(int.from_bytes(digest, "big")))

    def fraction(self, kind: str, keys: pl.Series) -> NDArray[np.float64]:
        """Deterministic uniform numbers in [0, 1) per key."""
        return (self.noise(kind, keys) >> np.uint64(11)).astype(np.float64) / float(1 << 53)

    def column(self, kind: str, keys: pl.Series, times: pl.Series) -> pl.Series:
        """UUIDv7 texts.

        `keys`: integers unique within `kind`; `times`: Datetime of each row (milliseconds are kept).
        """
        first = self.noise(kind, keys)
        milliseconds = times.dt.epoch("ms").to_numpy().astype(np.uint64)
        high = (milliseconds << np.uint64(16)) | np.uint64(0x7000) | (first & np.uint64(0x0FFF))
        low = (splitmix64(first) & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
        raw = np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(len(keys), 16)
        text = np.full((len(keys), 36), ord("-"), dtype=np.uint8)
        text[:, _POSITIONS] = np.stack([_DIGITS[raw >> 4], _DIGITS[raw & 15]], axis=2).reshape(len(keys), 32)
        return pl.Series(kind, text.view("S36").reshape(len(keys)).astype("U36"), dtype=pl.String)
