"""Current facts about products in the order of a bundle's items, and the products the bundle has never seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from serving.bundle.neighbours import Floats, Ints
from serving.bundle.read import Bundle

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ProductFeatures:
    """One reading of the product features. Row p of every array is product_ids[p].

    values_PF float32: the numeric product columns named by `columns`, defaults filled in. popularity_P: recent orders,
    for answers without a model.
    categories: category ids; a bundle knows their names.
    """

    product_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values_PF: Floats
    in_stock_P: Mask
    popularity_P: Floats
    categories: tuple[str, ...]
    place: Mapping[str, int] = field(repr=False)

    @staticmethod
    def empty(columns: tuple[str, ...] = ()) -> "ProductFeatures":
        """What is known before the first features job: nothing."""
        return ProductFeatures(
            (), columns, np.zeros((0, len(columns)), np.float32), np.zeros(0, bool), np.zeros(0, np.float32), (), {}
        )


@dataclass(frozen=True)
class Assortment:
    """A bundle and a catalog joined: rows 0..N-1 are the bundle's items, then the products only the catalog knows.

    The models score the first `modelled` rows; the rest can be reached by popularity alone.
    sellable_N: may be shown: recommendable and in stock. With no catalog at all stock is unknown and no reason to
    hide.
    categories: names for reasons, "" where none is known; category_code_N: equal for products of one category id.
    """

    bundle: Bundle | None
    product_ids: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[str, ...]
    category_code_N: Ints
    columns: tuple[str, ...]
    values_NF: Floats
    sellable_N: Mask
    popularity_N: Floats
    popular_order_N: Ints
    index: Mapping[str, int] = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.product_ids)

    @property
    def modelled(self) -> int:
        return self.bundle.size if self.bundle else 0

    @property
    def version(self) -> str:
        return self.bundle.meta.version if self.bundle else "none"


def build_assortment(bundle: Bundle | None, catalog: ProductFeatures, defaults: Mapping[str, float]) -> Assortment:
    """Join; O(N), done when either side changes, never in a request."""
    modelled = bundle.item_ids if bundle else ()
    known = bundle.index if bundle else {}
    extra = [p for p, product in enumerate(catalog.product_ids) if product not in known]
    product_ids = (*modelled, *(catalog.product_ids[p] for p in extra))
    row_N = np.array([catalog.place.get(product, -1) for product in product_ids], dtype=np.int64)
    found_N = row_N >= 0
    default_F = np.array([defaults[name] for name in catalog.columns], dtype=np.float32)
    values_NF = np.tile(default_F, (len(product_ids), 1))
    values_NF[found_N] = catalog.values_PF[row_N[found_N]]
    in_stock_N = np.full(len(product_ids), not catalog.product_ids)
    in_stock_N[found_N] = catalog.in_stock_P[row_N[found_N]]
    popularity_N = np.zeros(len(product_ids), dtype=np.float32)
    if bundle:
        popularity_N[: bundle.size] = bundle.popularity_3N[0]
        in_stock_N[: bundle.size] &= bundle.recommendable_N
    else:
        popularity_N[found_N] = catalog.popularity_P[row_N[found_N]]
    filed = [catalog.categories[row] if row >= 0 else "" for row in row_N.tolist()]
    names = dict(zip(filed, bundle.categories, strict=False)) if bundle else {}
    categories = (
        *(bundle.categories if bundle else ()),
        *(names.get(category, "") for category in filed[len(modelled) :]),
    )
    keys = [category or name for category, name in zip(filed, categories, strict=True)]
    codes: dict[str, int] = {}
    return Assortment(
        bundle=bundle,
        product_ids=product_ids,
        titles=(*(bundle.titles if bundle else ()), *("" for _ in extra)),
        categories=categories,
        category_code_N=np.array([codes.setdefault(name, len(codes)) for name in keys], dtype=np.int32),
        columns=catalog.columns,
        values_NF=values_NF,
        sellable_N=in_stock_N,
        popularity_N=popularity_N,
        popular_order_N=np.argsort(-popularity_N, kind="stable").astype(np.int32),
        index={product: row for row, product in enumerate(product_ids)},
    )
