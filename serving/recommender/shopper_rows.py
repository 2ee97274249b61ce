"""Reads the shopper's row through features.online.

While Feast is still being imported a read is counted and returns no row instead of failing.
"""

from features.errors import NotWarm
from features.online import OnlineStore, UserRow
from serving.metrics import DEGRADED
from serving.settings import ServingSettings

__all__ = ["ShopperRows", "UserRow"]


class ShopperRows:
    """Reads one row; blocks at most for the deadline it was opened with."""

    def __init__(self, settings: ServingSettings) -> None:
        self._store = OnlineStore(
            settings.redis_url.get_secret_value(), timeout_seconds=settings.serving_online_ms / 1000
        )

    def read_user(self, user_id: str) -> UserRow | None:
        """The newest row; None for a shopper without one and while Feast is still being imported.

        Raises redis.RedisError.
        """
        try:
            return self._store.read_user(user_id)
        except NotWarm:
            DEGRADED.labels("online_store", "warming").inc()
            return None

    def close(self) -> None:
        """Drop connections."""
        self._store.close()
