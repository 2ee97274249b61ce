"""Generated pictures for products without one: a tile with the title's initials, always the same for a product."""

import hashlib
import re
from html import escape
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, String, cast, func

_SIZE = 480
PATH = "/api/v1/products/{}/image.svg"
_ADDRESS = re.compile(PATH.format("[0-9a-f-]{36}").replace(".", r"\."))


def artwork_path(product_id: UUID) -> str:
    """Where the tile is served."""
    return PATH.format(product_id)


def artwork_path_of(product_id: SQLColumnExpression[UUID]) -> ColumnElement[str]:
    """`artwork_path` of a column, in SQL."""
    return func.replace(PATH, "{}", cast(product_id, String))


def is_artwork(address: str) -> bool:
    """Whether an address without its host leads to a tile."""
    return _ADDRESS.fullmatch(address) is not None


def draw(title: str, category: str) -> str:
    """An SVG tile: hue from the department, pattern from the title. Its description says that it is generated."""
    digest = hashlib.sha256(title.encode()).digest()
    hue = (
        int.from_bytes(hashlib.sha256(category.split("/")[1 if category.startswith("/") else 0].encode()).digest()[:2])
        % 360
    )
    words = [word for word in title.split() if word[:1].isalnum()]
    initials = escape("".join(word[0] for word in words[:2]).upper() or "?")
    circles = "".join(
        f'<circle cx="{digest[i] * _SIZE // 255}" cy="{digest[i + 1] * _SIZE // 255}" r="{30 + digest[i + 2] // 3}" '
        f'fill="hsl({(hue + digest[i] // 8) % 360} 60% {60 + digest[i + 1] // 16}%)" opacity=".55"/>'
        for i in range(0, 15, 3)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" height="{_SIZE}"'
        f' role="img"><title>{escape(title)}</title><desc>Generated artwork, not a photograph</desc><rect'
        f' width="{_SIZE}" height="{_SIZE}" fill="hsl({hue} 45% 88%)"/>{circles}<text x="50%" y="50%" dy=".35em"'
        f' text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700" font-size="160" fill="hsl({hue}'
        f' 50% 25%)">{initials}</text></svg>'
    )
