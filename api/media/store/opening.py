"""The store of a process, as its settings say."""

from api.kernel.context import Context
from api.kernel.settings import Settings
from api.media.store.folder import FolderStore
from api.media.store.interface import ObjectStore
from api.media.store.s3 import S3Store


def store_of(ctx: Context) -> ObjectStore:
    """One for each process."""
    return ctx.held.of(_Opened, lambda: _Opened(opened(ctx.settings))).store


def opened(settings: Settings) -> ObjectStore:
    """The bucket of the settings, else the folder."""
    if settings.media_uri is not None:
        return S3Store(settings.media_uri)
    return FolderStore(settings.home / "media")


class _Opened:
    def __init__(self, store: ObjectStore) -> None:
        self.store = store
