"""The learned ranker's input: one row per candidate, columns in the bundle's order."""

from collections.abc import Mapping

import numpy as np

from serving.arrays import Floats
from serving.recommender.assortment import Assortment
from serving.recommender.retrieve import Candidates


def ranker_matrix(
    inputs: tuple[str, ...], assortment: Assortment, shopper: Mapping[str, float], candidates: Candidates
) -> Floats:
    """inputs_CF float32, F = len(inputs).

    Retrieval scores, product columns from the assortment, all others from the shopper's row.
    Raises: KeyError for an unknown input; the loader has checked the names, so this is a defect.
    """
    items_C = candidates.items_C
    inputs_CF = np.empty((items_C.size, len(inputs)), dtype=np.float32)
    product = {name: place for place, name in enumerate(assortment.columns)}
    for place, name in enumerate(inputs):
        if name in product:
            inputs_CF[:, place] = assortment.values_NF[items_C, product[name]]
        else:
            inputs_CF[:, place] = candidates.inputs[name] if name in candidates.inputs else shopper[name]
    return inputs_CF
