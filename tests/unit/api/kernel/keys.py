"""Signing keys for unit tests: made up, as the test profile allows."""

from api.kernel.security import Keys
from api.kernel.settings import Settings


def made_up_keys() -> Keys:
    """New ones with every call."""
    return Keys.load(
        Settings.model_validate({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SOUK_PROFILE": "test"})
    )
