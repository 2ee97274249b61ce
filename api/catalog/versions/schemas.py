"""Bodies of versions."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from api.catalog.commands.keeping import Action, AuthorKind
from api.catalog.schemas import ProductDetail, Safety
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireId, WireTime


class Author(Wire):
    """Whose change it was. `service` is the shop itself, `schedule` a change that was set for a time. `userId`: the
    account; of an administrator's only administrators read it."""

    kind: AuthorKind
    user_id: WireId | None


class VersionRow(Wire):
    """One change of a product. `fields`: what it changed, by the names that PUT takes; `media` is what is said of the
    pictures, `safety` product safety data. Empty for the first version: `created`, or `known` for a product that was
    there before versions were kept."""

    version: int
    at: WireTime
    author: Author
    action: Action
    restored_from: int | None
    fields: list[str] = Field(examples=[["price", "variants"]])


class VersionList(Wire):
    product_id: UUID
    versions: list[VersionRow]
    pagination: Pagination


class PictureSaid(Wire):
    """What a version says of one of its `images`."""

    url: str
    alt: str | None
    variant_id: WireId | None


class Difference(Wire):
    """`pointer` into `body`, of a removed value into the one before; `variantId` when it is within a variant."""

    op: Literal["added", "removed", "changed"]
    pointer: str = Field(examples=["/variants/0/price"])
    variant_id: WireId | None
    before: object
    after: object


class Version(VersionRow):
    """`body` is what PUT takes: it can be sent as it is. `safety`: product safety data, null where there was none.
    `diff` to the version before, empty for the first."""

    product_id: UUID
    body: dict[str, object]
    media: list[PictureSaid]
    safety: Safety | None
    diff: list[Difference]


class RestoredProduct(ProductDetail):
    """The product as it is now. `version` is its newest; `restored` is false when it was the same already.
    `missingPictures`: addresses of that version which are kept no longer."""

    version: int
    restored: bool
    missing_pictures: list[str]
