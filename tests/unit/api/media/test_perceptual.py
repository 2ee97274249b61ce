"""Perceptual hashes: copies of a picture are alike, other pictures are not, and alike ones have a band in common."""

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from api.catalog.artwork.drawing import Subject
from api.catalog.artwork.sizes import raster
from api.media.press.perceptual import BAND_BITS, BITS, MOST_DIFFERENT, bands, perceptual_hash
from api.media.press.sizes import pressed
from api.operations.load.marketplace.words import KINDS
from tests.harness.pictures import cropped, encoded, halves, opened, scene

PICTURES, COPIED = 200, 60


def hash_of(image: Image.Image) -> int:
    found = perceptual_hash(image.convert("RGB"))
    assert found is not None
    return found


def different(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@pytest.fixture(scope="module")
def hashes() -> list[int]:
    """Those of PICTURES scenes."""
    return [hash_of(scene(number)) for number in range(PICTURES)]


def test_other_pictures_are_not_alike(hashes: list[int]) -> None:
    """None of 19,900 pairs."""
    assert [pair for pair in combinations(hashes, 2) if different(*pair) <= MOST_DIFFERENT] == []


def test_drawings_of_other_things_are_hardly_ever_alike() -> None:
    """The demo's kinds of products, each drawn alone before a ground, where one shape often stands for several nouns:
    11 of 7,021 pairs."""
    drawn = [Image.open(io.BytesIO(raster(Subject(f"Brand {kind.noun}", f"/D/{kind.noun}"), 160))) for kind in KINDS]
    pairs = list(combinations([hash_of(one) for one in drawn], 2))

    assert len(pairs) > 5_000
    assert sum(different(*pair) <= MOST_DIFFERENT for pair in pairs) / len(pairs) < 0.004


@pytest.mark.parametrize(
    ("copied", "found"),
    [
        pytest.param(lambda image: image.resize((144, 144)), 1.0, id="smaller"),
        pytest.param(lambda image: image.resize((700, 650)), 1.0, id="stretched"),
        pytest.param(lambda image: opened(encoded(image, "JPEG", quality=30)), 1.0, id="pressed"),
        pytest.param(lambda image: ImageEnhance.Contrast(image).enhance(0.8), 1.0, id="paler"),
        pytest.param(lambda image: ImageEnhance.Brightness(image).enhance(1.15), 0.9, id="brighter"),
        pytest.param(lambda image: cropped(image, 0.01), 0.95, id="cropped by 1 %"),
        pytest.param(lambda image: cropped(image, 0.02), 0.8, id="cropped by 2 %"),
        pytest.param(lambda image: cropped(image, 0.03), 0.6, id="cropped by 3 %"),
    ],
)
def test_copies_are_alike(hashes: list[int], copied: Callable[[Image.Image], Image.Image], found: float) -> None:
    """`found`: the least share of them."""
    there = [different(hash_of(copied(scene(number))), hashes[number]) <= MOST_DIFFERENT for number in range(COPIED)]

    assert sum(there) / COPIED >= found


def test_a_turned_or_half_transparent_picture_is_hashed_as_it_is_seen() -> None:
    upright, exif = scene(3), Image.Exif()
    exif[0x0112] = 6
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    clear = upright.convert("RGBA")
    clear.putalpha(0)
    clear.paste(cropped(upright, 0.2), (96, 96))
    white = Image.new("RGB", upright.size, "white")
    white.paste(cropped(upright, 0.2), (96, 96))

    assert pressed(turned).perceptual_hash == hash_of(upright)
    assert pressed(encoded(clear, "PNG")).perceptual_hash == hash_of(white)


@pytest.mark.parametrize("image", [Image.new("RGB", (300, 200), "red"), halves(300, 200), halves(2, 900)])
def test_what_shows_too_little_has_no_hash(image: Image.Image) -> None:
    assert perceptual_hash(image) is None


def test_the_hash_is_the_lowest_frequencies_above_their_median() -> None:
    """Computed a second time, as products of matrices."""
    image = scene(11)
    pixels = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0), dtype=float)
    waves = np.cos((2 * np.arange(32)[None, :] + 1) * np.arange(8)[:, None] * np.pi / 64)
    found = (waves @ pixels @ waves.T).reshape(-1)[1:]

    assert hash_of(image) == sum(int(above) << bit for bit, above in enumerate(found > np.median(found)))


@given(st.integers(0, 2**BITS - 1), st.sets(st.integers(0, BITS - 1), max_size=MOST_DIFFERENT))
def test_alike_hashes_have_a_band_with_at_most_one_other_bit(whole: int, bits: set[int]) -> None:
    other = whole ^ sum(1 << bit for bit in bits)

    assert any(different(one, two) <= 1 for one, two in zip(bands(whole), bands(other), strict=True))
    assert len({band >> BAND_BITS for band in bands(whole)}) == len(bands(whole))


def test_one_difference_more_may_be_in_no_band() -> None:
    other = sum(0b11 << BAND_BITS * band for band in range(4))

    assert other.bit_count() == MOST_DIFFERENT + 1
    assert all(different(one, two) == 2 for one, two in zip(bands(0), bands(other), strict=True))
