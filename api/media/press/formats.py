"""What content is a picture that the shop takes: decided by its first bytes and its header, before it is decoded."""

# Longest side, and width times height, in pixels.
MOST_SIDE = 30_000
MOST_PIXELS = 40_000_000
# Pillow's name of a format -> its media type. Nothing else is ever decoded.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
TAKEN = "JPEG, PNG, WebP, GIF or AVIF"


class Refused(Exception):
    """The content is no picture that the shop takes; the message says why, in the client's words."""


def sniffed(content: bytes) -> str:
    """Pillow's name of the format. What the client calls it does not count. Raises: Refused."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if content[4:8] == b"ftyp" and content[8:12] in {b"avif", b"avis"}:
        return "AVIF"
    raise Refused(f"must be a picture: {TAKEN}, whatever its name says")


def require_bearable(width: int, height: int) -> None:
    """Raises: Refused for a picture that would take more memory than one may."""
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        raise Refused(
            f"is {width} x {height} pixels; a picture has at most {MOST_PIXELS:,} and no side above {MOST_SIDE:,}"
        )
