"""How a picture is called: in the store, and in the addresses that lead to it.

A picture has a name of its own, `DIGEST-NONCE`. The digest says which content it was made of; the nonce is random, so
that a name which was deleted never comes again and an object without a row can be deleted whoever uploads meanwhile.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator

# Longest sides in pixels. A picture is never made larger than it is.
SIZES = (160, 480, 1200)
LARGEST = SIZES[-1]
THUMBNAIL_SIZE = 480
# Another one for another way of making the sizes: what an address leads to never changes.
EDITION = "1"
API = "/api/v1/"
PREFIX = f"{API}media/"
PICTURES = "pictures/"
DRAWN = "drawn/"
NAME = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}")
_FILE = re.compile("|".join(rf"{size}\.webp" for size in SIZES))
_ADDRESS = re.compile(rf"{re.escape(PREFIX)}(?P<name>[^/?#]+)/(?P<file>[^/?#]+)")
_ORIGINAL = "original"


def digest_of(content: bytes) -> str:
    """32 hexadecimal digits."""
    return hashlib.sha256(EDITION.encode() + b":" + content).hexdigest()[:32]


def new_name(digest: str) -> str:
    return f"{digest}-{secrets.token_hex(4)}"


def address(name: str, size: int = LARGEST) -> str:
    """Where a size is served; the same whatever host the shop is reached at."""
    return f"{PREFIX}{name}/{size}.webp"


def named_in(url: str, host: str) -> str | None:
    """The name in an address of this shop, with or without its host; None for any other text."""
    found = _ADDRESS.fullmatch(url.removeprefix(host))
    return found["name"] if found is not None and is_file(found["file"]) else None


def is_file(file: str) -> bool:
    """Whether pictures have a file of this name."""
    return _FILE.fullmatch(file) is not None


def size_key(name: str, file: str) -> str:
    """The object of one size; `file` is one of the names that `is_file` knows."""
    return f"{PICTURES}{name[:2]}/{name}/{file}"


def original_key(name: str) -> str:
    """The object of what was sent. It may say where a photograph was taken, so nothing serves it."""
    return f"{PICTURES}{name[:2]}/{name}/{_ORIGINAL}"


def keys_of(name: str) -> Iterator[str]:
    """Every object of a picture."""
    yield original_key(name)
    for size in SIZES:
        yield size_key(name, f"{size}.webp")


def drawn_key(digest: str, size: int) -> str:
    """The object of one size of a drawn picture. It can be made again at any time."""
    return f"{DRAWN}{digest[:2]}/{digest}-{size}.webp"


def name_of_key(key: str) -> str | None:
    """The picture whose object it is; None for objects of other kinds."""
    parts = key.split("/")
    return parts[2] if key.startswith(PICTURES) and len(parts) == 4 and NAME.fullmatch(parts[2]) else None
