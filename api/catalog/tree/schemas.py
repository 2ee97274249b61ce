"""Bodies of requests and answers about one category."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from api.catalog.languages.schemas import EachOnce
from api.catalog.schemas import Breadcrumb
from api.kernel.ids import parse_id
from api.kernel.languages import MOST_LANGUAGES, LanguageTag
from api.kernel.schemas import Wire, WireId
from api.kernel.texts import OneLine


def _is_a_name(value: str) -> str:
    if "/" in value or " > " in value:
        raise ValueError("must hold neither '/' nor ' > ', which divide a path")
    if parse_id(value) is not None:
        raise ValueError("must not look like an id")
    return value


CategoryName = Annotated[OneLine, Field(min_length=1, max_length=100, examples=["Phones"]), AfterValidator(_is_a_name)]


_OF_NAMES = (Field(max_length=MOST_LANGUAGES, examples=[{"de": "Telefone"}]), EachOnce)


class CategoryIn(Wire):
    """Without a parent it is a department. `names`: what it is called in other languages than the shop's own."""

    name: CategoryName
    parent_category_id: WireId | None = None
    names: Annotated[dict[LanguageTag, CategoryName], *_OF_NAMES] = Field(default_factory=dict)


class CategoryPatch(Wire):
    """What is not sent stays; `parentCategoryId: null` makes it a department. Of `names` those languages that are
    sent; null takes one away."""

    name: CategoryName | None = None
    parent_category_id: WireId | None = None
    names: Annotated[dict[LanguageTag, CategoryName | None], *_OF_NAMES] | None = None


class CategoryMerge(Wire):
    """`into` gets all products and categories; categories of one name become one."""

    into: WireId


class CategoryBody(Wire):
    """`breadcrumbs` lead from the department to the category; `children` are those right below it, by name.
    `nameLanguage`: of the name, where it is another than was asked for; `names`: in other languages than the shop's."""

    category_id: UUID
    name: str
    name_language: str | None
    names: dict[str, str]
    path: str
    level: int
    parent_category_id: UUID | None
    breadcrumbs: list[Breadcrumb]
    children: list[Breadcrumb]


class CategoryMoved(Wire):
    """Where a category is that was asked for by an old path, or by the id of one that was merged into it."""

    category_id: UUID
    path: str
