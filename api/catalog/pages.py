"""The catalog's ready pages: what each depends on."""

import hashlib
from uuid import UUID

import orjson

from api.catalog.schemas import CategoryTree, ProductDetail, ProductList, VariantList
from api.kernel import clock
from api.kernel.cache import PageKey
from api.kernel.outbox import FEED
from api.kernel.settings import Settings
from api.pricing.tariff import Tariff, home

_BODIES = (ProductDetail, VariantList, ProductList, CategoryTree)


def edition(settings: Settings) -> str:
    """Changes with the form of the pages, and with the settings that are in them."""
    form = [body.model_json_schema(by_alias=True) for body in _BODIES]
    shown = [
        settings.currency,
        settings.languages.own,
        str(Tariff.of(settings, home(settings), clock.now().date())),
        form,
    ]
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


# The feed of changes of lists: the search index counts them and says when it has a change.
LISTS_FEED = "index"
# Tags: lists without a category; all lists.
WHOLE_SHOP, EVERY_LIST = "lists", "lists:all"

# The tag of the category tree. A load and a change by hand drop it not, so the tree is kept for seconds only.
TREE = "categories"


def categories_page(language: str) -> PageKey:
    """The tree with the names of a language."""
    return PageKey("categories", f"categories:{language}", (TREE,), FEED, (5, 10), language)


def department_tag(department: str) -> str:
    """The tag of the lists within a department, the first part of a category's path."""
    return f"lists:{department}"


def product_tag(product_id: UUID) -> str:
    """The tag of everything that is shown of one product."""
    return f"product:{product_id}"


def product_of_tag(tag: str) -> UUID | None:
    """The product of its tag; None for other tags."""
    return UUID(tag.removeprefix("product:")) if tag.startswith("product:") else None


def product_page(product_id: UUID, half_hour: int, language: str, *, member: bool) -> PageKey:
    """The page in a language, as it is in one half hour, whose promises hold until the next cut-off: for members of
    Prime, and for everybody else."""
    name = f"product:{product_id}:{half_hour}:{language}{':member' if member else ''}"
    return PageKey("product", name, (product_tag(product_id),), FEED, language=language)


def variants_page(product_id: UUID) -> PageKey:
    return PageKey("variants", f"variants:{product_id}", (product_tag(product_id),), FEED)
