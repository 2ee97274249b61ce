"""Pictures that the shop draws for products without one: what is for sale, in a colour and a setting of its own."""

import re
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, String, cast, func

from api.catalog.artwork.drawing import Subject
from api.media.naming import LARGEST

PATH = "/api/v1/products/{}/image.svg"
_SIZED = "/api/v1/products/{}/drawn/{}/{}.webp"
_UUID = "[0-9a-f-]{36}"
_ADDRESS = re.compile(
    "|".join(
        (re.escape(PATH).replace(r"\{\}", _UUID), _SIZED.replace(".", r"\.").format(_UUID, "[0-9a-f]{16}", "[0-9]+"))
    )
)


def artwork_path(product_id: UUID) -> str:
    """Where the picture is served as SVG, whatever the product is called by then."""
    return PATH.format(product_id)


def artwork_path_of(product_id: SQLColumnExpression[UUID]) -> ColumnElement[str]:
    """`artwork_path` of a column, in SQL."""
    return func.replace(PATH, "{}", cast(product_id, String))


def drawn_path(product_id: UUID, subject: Subject, size: int = LARGEST) -> str:
    """Where a size of the picture is served for ever: it is another address once the picture is another."""
    return _SIZED.format(product_id, subject.digest, size)


def is_artwork(address: str) -> bool:
    """Whether an address without its host leads to a picture that the shop draws."""
    return _ADDRESS.fullmatch(address) is not None
