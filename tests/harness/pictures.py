"""Pictures for tests, made here: of every kind that sellers send, and of those that nobody should."""

import base64
import io
import struct
import zlib
from typing import Any

from PIL import Image

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
