"""The assortment that this process serves now, and the loop that replaces it when the pointer or the features change.

A request reads `state.assortment` once and keeps it. A swap is one assignment, so no request mixes two models.
"""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from features.columns import columns_hash, numeric_columns
from serving.bundle.read import Bundle, BundleRefused, load_bundle, read_pointer
from serving.metrics import (
    BUNDLE_LOAD_SECONDS,
    BUNDLE_LOADED,
    BUNDLES_REFUSED,
    CATALOG_AGE_SECONDS,
    CATALOG_PRODUCTS,
)
from serving.recommender.assortment import Assortment, build_assortment
from serving.recommender.product_features import ProductFeatures, ProductFeaturesReader, empty_features
from serving.settings import ServingSettings
from warehouse.logs import get_logger

_log = get_logger(__name__)
Stamp = tuple[int, int, int]
_KNOWN = frozenset(column.name for column in numeric_columns("product", "user"))
"""The columns a ranker may ask for."""


@dataclass
class State:
    """The current assortment. `refresh` is called by one thread at a time; readers only take `assortment`."""

    settings: ServingSettings
    reader: ProductFeaturesReader
    assortment: Assortment = field(init=False)
    refused: str | None = field(default=None, init=False)
    _bundle: Bundle | None = field(default=None, init=False)
    _features: ProductFeatures = field(init=False)
    _tried: tuple[object, ...] = field(default=(), init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._features = empty_features()
        self.assortment = build_assortment(None, self._features)

    async def refresh(self, *, force: bool = False) -> bool:
        """Check the pointer and the product features; load what changed in a thread.

        True when the bundle was swapped.
        """
        async with self._lock:
            return await asyncio.to_thread(self._refresh, force)

    async def watch(self) -> None:
        """Refresh until cancelled. Every error is logged and the refresh repeated: this loop must not end."""
        while True:
            await asyncio.sleep(self.settings.serving_watch_seconds)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - a full disk or an incomplete file is temporary; the last good state serves meanwhile
                _log.error("refresh failed", error=f"{type(error).__name__}: {error}")

    def _refresh(self, force: bool) -> bool:
        features = self.reader.read_if_changed()
        if self.reader.read_at:
            CATALOG_AGE_SECONDS.set(time.time() - self.reader.read_at)
        bundle = self._load_if_changed(force)
        if features is None and bundle is None:
            return False
        self._features = features or self._features
        previous, self._bundle = self._bundle, bundle or self._bundle
        self.assortment = build_assortment(self._bundle, self._features)
        CATALOG_PRODUCTS.set(len(self._features.product_ids))
        if bundle is not None:
            if previous is not None:
                BUNDLE_LOADED.remove(previous.meta.version)
            BUNDLE_LOADED.labels(bundle.meta.version).set(1)
        return bundle is not None

    def _load_if_changed(self, force: bool) -> Bundle | None:
        """The pointer's bundle when it is not the one in use; None when it is, or when the new one was refused."""
        started = time.perf_counter()
        try:
            folder = read_pointer(self.settings.champion)
            tried = (folder, *_stamps(self.settings.champion, folder))
            if folder is None or (tried == self._tried and not force):
                return None
            self._tried = tried
            bundle = load_bundle(folder, columns_hash(), _KNOWN)
        except BundleRefused as error:
            if str(error) != self.refused or force:
                BUNDLES_REFUSED.inc()
                _log.error("bundle refused", reason=str(error), serving=self.assortment.version)
            self.refused = str(error)
            return None
        self.refused = None
        seconds = time.perf_counter() - started
        BUNDLE_LOAD_SECONDS.set(seconds)
        _log.info(
            "bundle loaded",
            version=bundle.meta.version,
            items=bundle.size,
            seconds=round(seconds, 3),
            lsn=bundle.meta.watermark_lsn,
        )
        return bundle


def _stamps(pointer: Path, folder: Path | None) -> tuple[Stamp | None, Stamp | None]:
    """A value that changes when the pointer, or the bundle it names, is written again."""
    return _stamp(pointer), _stamp(folder / "bundle.json") if folder else None


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
