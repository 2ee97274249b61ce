"""How much each of a few products is a shopper's own: of the categories, and near the products, that they bought or
looked at."""

from collections.abc import Sequence

from serving.recommender.assortment import Assortment
from serving.recommender.retrieve import item_to_item_scores, make_seeds
from serving.recommender.shoppers import Shopper

# Weight of a product that is one order older than the next.
FADES = 0.9


def taste(
    assortment: Assortment, shopper: Shopper, recent: Sequence[str], product_ids: Sequence[str]
) -> list[float] | None:
    """0 to 1 for each of `product_ids`; None for a shopper of whom nothing is known.

    Half of it is the share of the shopper's products, newer ones counting more, that are of the same category; half
    how near the product is to them by what is bought together, the nearest of all products being 1. `recent`: products
    just looked at, oldest first, newer than all that was bought.
    """
    ages = dict(zip(shopper.sequence, (age + bool(recent) for age in shopper.ages), strict=True))
    ages.update(dict.fromkeys(recent, 0))
    known = {assortment.index[product]: age for product, age in ages.items() if product in assortment.index}
    if not known:
        return None
    shares: dict[int, float] = {}
    for item, age in known.items():
        category = int(assortment.category_code_N[item])
        shares[category] = shares.get(category, 0.0) + FADES**age
    total = sum(shares.values())
    near: dict[int, float] = {}
    if (bundle := assortment.bundle) is not None:
        modelled = {item: age for item, age in known.items() if item < bundle.size}
        score_N = item_to_item_scores(bundle, make_seeds(assortment, list(modelled), list(modelled.values()), ()))
        best = max(float(score_N.max(initial=0.0)), 1e-9)
        places = [assortment.index.get(product, bundle.size) for product in product_ids]
        near = {item: float(score_N[item]) / best for item in places if item < bundle.size}
    found = []
    for product in product_ids:
        place = assortment.index.get(product)
        category = -1 if place is None else int(assortment.category_code_N[place])
        found.append((shares.get(category, 0.0) / total + (0.0 if place is None else near.get(place, 0.0))) / 2)
    return found
