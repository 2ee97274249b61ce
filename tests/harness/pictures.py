"""Pictures for tests, made here: of every kind that sellers send, and of those that nobody should."""

import base64
import io
import random
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

RED, GREEN, BLUE = (220, 30, 30), (20, 160, 60), (30, 60, 220)


def halves(width: int = 64, height: int = 48, left: Any = RED, right: Any = BLUE, mode: str = "RGB") -> Image.Image:
    """Two colours, so that a turned picture is seen to be turned."""
    image = Image.new("RGB", (width, height), right)
    image.paste(Image.new("RGB", (width // 2, height), left), (0, 0))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


def png(width: int = 64, height: int = 48, **colours: Any) -> bytes:
    return encoded(halves(width, height, **colours), "PNG")


def scene(number: int, size: int = 480) -> Image.Image:
    """Things before a ground that runs from one colour to another; no other number has the same."""
    chance = random.Random(number)

    def colour() -> tuple[int, int, int]:
        return chance.randrange(256), chance.randrange(256), chance.randrange(256)

    ramp = Image.linear_gradient("L").resize((size, size)).rotate(90 * chance.randrange(4))
    image = Image.composite(Image.new("RGB", ramp.size, colour()), Image.new("RGB", ramp.size, colour()), ramp)
    pen = ImageDraw.Draw(image)
    for _ in range(chance.randint(4, 12)):
        left, top = chance.randint(-size // 10, size), chance.randint(-size // 10, size)
        across, down = (chance.randint(size // 16, size // 2) for _ in range(2))
        chance.choice([pen.ellipse, pen.rectangle])((left, top, left + across, top + down), fill=colour())
    return image


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Without this share of the picture at each of its sides."""
    across, down = round(image.width * share), round(image.height * share)
    return image.crop((across, down, image.width - across, image.height - down))


def one_of(number: int) -> bytes:
    """A picture that no other number has."""
    return png(left=(number % 256, number // 256 % 256, 40), right=(200, number % 251, 90))


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, each with its right check sum."""
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it has so many pixels, and has them: all the same."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (width + 1)
    data = b"".join(packer.compress(row) for _ in range(min(height, 2_000))) + packer.flush()
    return png_chunks((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))
