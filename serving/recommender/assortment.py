"""Current product data in the order of a bundle's items, followed by products that the bundle does not contain."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.arrays import Floats, Ints, Mask
from serving.bundle.read import Bundle
from serving.recommender.product_features import ProductFeatures


@dataclass(frozen=True)
class Assortment:
    """A bundle and the product features joined: the bundle's items first, then products that only the features contain.

    The models score the first `modelled` rows; the rest are recommended by popularity only.
    sellable_N: may be shown: recommendable and in stock. Without product features stock is unknown and hides nothing.
    categories: names for reasons, "" where none is known; category_code_N: equal for products of one category id.
    unknown_shopper: the user columns of a shopper without a row.
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
    unknown_shopper: Mapping[str, float]
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


def build_assortment(bundle: Bundle | None, features: ProductFeatures) -> Assortment:
    """Join; O(N), done when either side changes, never in a request."""
    modelled = bundle.item_ids if bundle else ()
    known = bundle.index if bundle else {}
    extra = [p for p, product in enumerate(features.product_ids) if product not in known]
    product_ids = (*modelled, *(features.product_ids[p] for p in extra))
    row_N = np.array([features.place.get(product, -1) for product in product_ids], dtype=np.int64)
    found_N = row_N >= 0
    unknown_F = np.array([features.unknown_product[name] for name in features.columns], dtype=np.float32)
    values_NF = np.tile(unknown_F, (len(product_ids), 1))
    values_NF[found_N] = features.values_PF[row_N[found_N]]
    in_stock_N = np.full(len(product_ids), not features.product_ids)
    in_stock_N[found_N] = features.in_stock_P[row_N[found_N]]
    popularity_N = np.zeros(len(product_ids), dtype=np.float32)
    if bundle:
        popularity_N[: bundle.size] = bundle.popularity_3N[0]
        in_stock_N[: bundle.size] &= bundle.recommendable_N
    else:
        popularity_N[found_N] = features.popularity_P[row_N[found_N]]
    filed = [features.categories[row] if row >= 0 else "" for row in row_N.tolist()]
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
        columns=features.columns,
        values_NF=values_NF,
        sellable_N=in_stock_N,
        popularity_N=popularity_N,
        popular_order_N=np.argsort(-popularity_N, kind="stable").astype(np.int32),
        unknown_shopper=features.unknown_shopper,
        index={product: row for row, product in enumerate(product_ids)},
    )
