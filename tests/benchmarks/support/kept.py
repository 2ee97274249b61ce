"""What Redis holds, by what it is for: how many keys, and the memory of one."""

from collections import defaultdict
from collections.abc import Mapping

import redis

STREAMS = "streams of events"
# The beginning of a key, and what it holds; every other key is a row of the online store.
_KINDS = (
    (b"souk:events:", STREAMS),
    (b"souk:recent:", "latest products of a shopper"),
    (b"souk:recs:", "kept recommendations"),
    (b"souk:related:", "kept recommendations"),
    (b"souk:page", "pages"),
    (b"souk:", "others"),
)
FEATURES = "online features"


def kind_of(key: bytes) -> str:
    """What a key is for."""
    return next((kind for beginning, kind in _KINDS if key.startswith(beginning)), FEATURES)


def kept(url: str) -> Mapping[str, Mapping[str, float]]:
    """By kind: the number of keys, and the mean bytes of one."""
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1_000):
            # None: the key has expired meanwhile.
            if (held := client.memory_usage(key, samples=0)) is not None:
                sizes[kind_of(key)].append(held)
    return {
        kind: {"count": len(held), "bytes": round(sum(held) / len(held), 1)} for kind, held in sorted(sizes.items())
    }
