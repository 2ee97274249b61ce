"""How near a query's text is to products, within a request.

The model and the vectors are read in the background, and again when the lake's table has changed; until then, and for
products without a vector, nothing is said.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serving.arrays import Floats
from serving.guard import Guard
from serving.metrics import VECTORS
from serving.semantic.model import packaged_model
from serving.settings import ServingSettings
from warehouse.logs import get_logger

if TYPE_CHECKING:
    from serving.semantic.encoder import Encoder
    from serving.semantic.vectors import Vectors, VectorsReader

_log = get_logger(__name__)
# Texts of queries whose vectors are kept, 1.5 kB each: most searches are for what was searched before.
MAX_QUERIES = 10_000


@dataclass
class Similarity:
    """One per process. Without `serving_semantic` it reads nothing and says nothing."""

    settings: ServingSettings
    _reader: "VectorsReader | None" = field(default=None, init=False)
    _guard: Guard = field(init=False)
    _encoder: "Encoder | None" = field(default=None, init=False)
    _vectors: "Vectors | None" = field(default=None, init=False)
    _queries: "OrderedDict[str, Floats]" = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        self._guard = Guard("semantic", self.settings.serving_search_ms / 1000)

    @property
    def version(self) -> str | None:
        """Names the model that encodes; None while there is none."""
        return None if self._encoder is None or self._vectors is None else self._encoder.version

    async def of(self, text: str, product_ids: Sequence[str]) -> list[float | None] | None:
        """Cosine of the text and each product, None for one without a vector; None when the part is off, not ready or
        late. What was encoded too late is there for the next request of the same text."""
        vectors = self._vectors
        if self._encoder is None or vectors is None or not text.strip():
            return None
        query_D = self._queries.get(text)
        if query_D is None:
            query_D = await self._guard.call(lambda: self._encode(text))
        else:
            self._queries.move_to_end(text)
        if query_D is None:
            return None
        found: list[float | None] = [None] * len(product_ids)
        places, vectors_CD = vectors.of_products(product_ids)
        if places:
            near_C = vectors_CD.astype("float32") @ query_D
            for place, near in zip(places, near_C.tolist(), strict=True):
                found[place] = near
        return found

    async def watch(self) -> None:
        """Load the model once, then read the vectors whenever they have changed, until cancelled. What fails is logged
        and tried again."""
        while self.settings.search_semantic:
            try:
                await asyncio.to_thread(self._refresh)
            except Exception as error:  # noqa: BLE001 - a lake that cannot be read is temporary; the last vectors serve meanwhile
                _log.error("vectors unreadable", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self.settings.serving_watch_seconds)

    def close(self) -> None:
        """End the thread."""
        self._guard.close()

    def _refresh(self) -> None:
        if self._encoder is None or self._reader is None:
            import torch  # large, as the lake's reader, and for a process that encodes only

            from serving.semantic.encoder import Encoder
            from serving.semantic.vectors import VectorsReader

            # As for the recommender's models: a second thread would wait longer than it computes.
            torch.set_num_threads(1)
            encoder = Encoder(self.settings.encoder or packaged_model())
            encoder.encode(["warm"])
            self._encoder, self._reader = encoder, VectorsReader(self.settings.lake_uri)
        vectors = self._reader.read_if_changed()
        if vectors is not None:
            self._vectors = vectors
            VECTORS.set(len(vectors.product_ids))
            _log.info("vectors read", products=len(vectors.product_ids), model=self._encoder.version)

    def _encode(self, text: str) -> Floats:
        """In the guard's thread."""
        assert self._encoder is not None
        query_D: Floats = self._encoder.encode([text])[0]
        self._queries[text] = query_D
        while len(self._queries) > MAX_QUERIES:
            self._queries.popitem(last=False)
        return query_D
