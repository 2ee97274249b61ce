"""Content similarity: tf-idf cosine of title words and attributes. The only signal for an item without purchases."""

import re
from collections import Counter

import numpy as np
from scipy import sparse

from training.data.datasets import Catalog

_WORD = re.compile(r"[^\W\d_]+|\d+")  # letters of any alphabet, or digits


def fit_content(catalog: Catalog, neighbours: int, common_share: float = 0.2) -> sparse.csr_matrix:
    """[N, N] float32 CSR of the `neighbours` most similar items per item: cosine in (0, 1], no diagonal, only
    recommendable columns.

    Tokens of more than `common_share` of the items or of a single item are dropped: they cost time and carry no
    information.
    """
    size = len(catalog)
    tokens = [
        sorted({*_WORD.findall(title.lower()), *attributes})
        for title, attributes in zip(catalog.titles, catalog.attributes, strict=True)
    ]
    frequency = Counter(token for row in tokens for token in row)
    vocabulary = {
        token: column
        for column, token in enumerate(sorted(t for t, n in frequency.items() if 1 < n <= max(common_share * size, 2)))
    }
    if not vocabulary:
        return sparse.csr_matrix((size, size), dtype=np.float32)
    rows = [row for row, words in enumerate(tokens) for word in words if word in vocabulary]
    columns = [vocabulary[word] for words in tokens for word in words if word in vocabulary]
    inverse = np.array([np.log(size / frequency[word]) for word in vocabulary], dtype=np.float32)
    matrix = sparse.csr_matrix((inverse[columns], (rows, columns)), shape=(size, len(vocabulary)), dtype=np.float32)
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    unit = sparse.csr_matrix(sparse.diags_array((1 / np.maximum(length, 1e-9)).astype(np.float32)) @ matrix)
    other = sparse.csr_matrix(sparse.diags_array(catalog.recommendable.astype(np.float32)) @ unit).T.tocsr()
    blocks = []
    for start in range(0, size, 1000):
        block = np.asarray((unit[start : start + 1000] @ other).todense(), dtype=np.float32)
        rows_here = np.arange(block.shape[0])
        block[rows_here, start + rows_here] = 0
        best = np.sort(np.argpartition(-block, min(neighbours, size - 1), axis=1)[:, :neighbours], axis=1)
        data = np.take_along_axis(block, best, axis=1)
        kept = sparse.csr_matrix(
            (data.ravel(), best.ravel(), np.arange(0, best.size + 1, best.shape[1])), shape=block.shape
        )
        kept.eliminate_zeros()
        blocks.append(kept)
    return sparse.vstack(blocks).tocsr().astype(np.float32)
