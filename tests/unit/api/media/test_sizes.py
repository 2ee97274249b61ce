"""What is made of a picture, by its kind: sizes, colours, direction, and nothing of what stood next to the pixels."""

import base64
import random
import struct

import pytest
from PIL import Image, ImageCms

from api.media.naming import SIZES
from api.media.press.formats import Refused
from api.media.press.sizes import pressed
from tests.harness.pictures import BLUE, GREEN, RED, bomb, encoded, halves, opened, png_chunks

SECRET = b"51.5007 N, taken at home by Ann"


def near(pixel: tuple[int, ...], colour: tuple[int, ...], far: int = 40) -> bool:
    return all(abs(one - other) <= far for one, other in zip(pixel[:3], colour, strict=True))


def rgb(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_every_kind_is_webp_in_three_sizes(kind: str) -> None:
    made = pressed(encoded(halves(1600, 1000), kind))

    assert (made.width, made.height, made.media_type) == (1200, 750, f"image/{kind.lower()}")
    assert sorted(made.files) == list(SIZES)
    for side, content in made.files.items():
        image = opened(content)
        assert (image.format, image.size) == ("WEBP", (side, round(side * 0.625)))
        assert near(rgb(image, 5, 5), RED)
        assert near(rgb(image, image.width - 5, 5), BLUE)


def test_a_picture_is_never_made_larger() -> None:
    made = pressed(encoded(halves(300, 200), "PNG"))

    assert {side: opened(content).size for side, content in made.files.items()} == {
        160: (160, 107),
        480: (300, 200),
        1200: (300, 200),
    }


def test_the_same_content_gives_the_same_bytes() -> None:
    content = encoded(halves(500, 400), "JPEG")

    assert pressed(content) == pressed(content)


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (64, 48), (2, 24)),
        (2, (64, 48), (61, 24)),
        (3, (64, 48), (61, 24)),
        (4, (64, 48), (2, 24)),
        (5, (48, 64), (24, 2)),
        (6, (48, 64), (24, 2)),
        (7, (48, 64), (24, 61)),
        (8, (48, 64), (24, 61)),
        (99, (64, 48), (2, 24)),
    ],
)
def test_a_photograph_is_turned_as_its_camera_was_held(
    orientation: int, size: tuple[int, int], red: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = opened(pressed(encoded(halves(), "JPEG", exif=exif, quality=95)).files[1200])

    assert image.size == size
    assert near(rgb(image, *red), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_was_written_next_to_the_pixels_is_gone(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    content = encoded(halves(), kind, exif=exif)
    assert SECRET in content

    made = pressed(content)

    for file in made.files.values():
        assert SECRET not in file
        assert opened(file).getexif() == {}
        assert {"exif", "xmp", "icc_profile"}.isdisjoint({name for name, value in opened(file).info.items() if value})


def test_a_file_that_is_two_things_becomes_one() -> None:
    script = b"<html><script>alert(1)</script></html>"
    content = encoded(halves(), "GIF", comment=script) + script + b"PK\x03\x04"

    assert all(script not in file for file in pressed(content).files.values())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_pictures_of_every_mode(mode: str) -> None:
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    source = halves(mode="L").convert("I").point(lambda value: value * 257) if mode == "I;16" else halves()
    source = source.convert(mode)
    image = opened(pressed(encoded(source, kind)).files[1200])

    expected = {"1": (0, 0, 0), "L": (93,) * 3, "LA": (93,) * 3, "I;16": (93,) * 3}.get(mode, RED)
    # CMYK is the colours of paper.
    assert near(rgb(image, 5, 20), expected, 60) or mode == "1", rgb(image, 5, 20)


def test_what_can_be_seen_through_stays_so() -> None:
    image = halves(mode="RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))

    made = opened(pressed(encoded(image, "PNG")).files[1200])

    assert made.mode == "RGBA"
    assert made.getpixel((5, 0))[3] < 20  # type: ignore[index]  # a tuple of four
    assert made.getpixel((5, 47))[3] > 235  # type: ignore[index]  # the same


def test_of_a_picture_that_moves_the_first_frame_is_taken() -> None:
    for kind in ("GIF", "WEBP", "PNG"):
        content = encoded(halves(left=GREEN), kind, save_all=True, append_images=[halves(left=BLUE, right=RED)] * 3)

        assert near(rgb(opened(pressed(content).files[1200]), 5, 5), GREEN, 60), kind


def test_colours_of_another_profile_are_made_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    broken, other = (encoded(halves(), "PNG", icc_profile=icc) for icc in (b"no profile", profile))

    for content in (broken, other):
        assert near(rgb(opened(pressed(content).files[1200]), 5, 5), RED)


def test_the_blur_is_a_picture_of_a_few_dozen_bytes() -> None:
    blur = pressed(encoded(halves(900, 900), "JPEG")).blur
    prefix, _, text = blur.partition(",")

    assert prefix == "data:image/webp;base64"
    assert opened(base64.b64decode(text)).size == (16, 16)
    assert len(blur) < 300


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "must be a picture"),
        (b"hello", "must be a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "must be a picture"),
        (b'<?xml version="1.0"?><svg onload="alert(1)"/>', "must be a picture"),
        (b"%PDF-1.7", "must be a picture"),
        (b"BM" + bytes(60), "must be a picture"),
        (b"II*\0" + bytes(60), "must be a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "must be a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "must be a picture"),
        (b"\x89PNG\r\n\x1a\n", "is a broken PNG"),
        (b"\xff\xd8\xff\xe0nothing", "is a broken JPEG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "is a broken WEBP"),
        (b"GIF89a", "is a broken GIF"),
        (b"\0\0\0\x18ftypavif" + bytes(60), "is a broken AVIF"),
        (encoded(halves(), "JPEG")[:400], "is a broken JPEG"),
        (encoded(halves(400, 400), "PNG")[:300], "is a broken PNG"),
        (bomb(50_000, 20), "pixels"),
        (bomb(20_000, 20_000), "pixels"),
        (png_chunks((b"IHDR", struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)), (b"IEND", b"")), "is a broken PNG"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        pressed(content)


def test_no_content_breaks_anything_but_itself() -> None:
    """Random damage anywhere: a picture, or Refused."""
    chance = random.Random(7)
    whole = [encoded(halves(120, 90), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF")]
    refused = 0
    for content in whole * 30:
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert sorted(pressed(bytes(damaged)).files) == list(SIZES)
        except Refused:
            refused += 1
    assert 0 < refused < 150
