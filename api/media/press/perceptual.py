"""The perceptual hash of a picture: alike for pictures that people take for one, whatever their size, format and
brightness, or that were cropped a little.

It is pHash: of a small gray copy the lowest frequencies, each of which is above their median or not. Two pictures are
compared by how many bits differ. `docs/pictures.md` says what it was measured to tell apart.
"""

import math
from statistics import median

from PIL import Image

# A gray copy of so many pixels a side, and of its frequencies so many each way, without the mean.
_SIDE, _FREQUENCIES = 32, 8
BITS = _FREQUENCIES**2 - 1
# A frequency is seen when it moves a pixel by about one of 256 grays. Of a picture with fewer there is too little to
# compare: one of few colours, or half this and half that.
_SEEN = _SIDE**2 / 4
_LEAST_SEEN = 16
# Pictures with as many different bits are alike.
MOST_DIFFERENT = 7
# The hash in parts of so many bits, by which alike ones are found: of at most seven differences the least of four
# parts has at most one.
BAND_BITS = 16
BANDS = 4
_WAVES = [
    [math.cos((2 * place + 1) * frequency * math.pi / (2 * _SIDE)) for place in range(_SIDE)]
    for frequency in range(_FREQUENCIES)
]


def perceptual_hash(image: Image.Image) -> int | None:
    """BITS bits of an RGB picture; None for one that shows too little."""
    pixels = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0).tobytes()
    rows = [pixels[start : start + _SIDE] for start in range(0, len(pixels), _SIDE)]
    across = [[sum(map(float.__mul__, wave, map(float, row))) for wave in _WAVES] for row in rows]
    found = [
        sum(wave[place] * across[place][column] for place in range(_SIDE))
        for wave in _WAVES
        for column in range(_FREQUENCIES)
    ][1:]
    middle = median(found)
    if sum(abs(one - middle) > _SEEN for one in found) < _LEAST_SEEN:
        return None
    return sum((one > middle) << bit for bit, one in enumerate(found))


def bands(whole: int) -> list[int]:
    """The parts of a hash, each a number that no other part has; they differ in the bits in which the hashes do."""
    mask = (1 << BAND_BITS) - 1
    return [band << BAND_BITS | (whole >> band * BAND_BITS & mask) for band in range(BANDS)]
