"""Addresses in the forms that Feast expects."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from features.settings import FeatureSettings


def redis_connection(url: str, socket_timeout: float | None = None) -> str:
    """A redis:// URL in Feast's form: host:port,key=value,..."""
    parts = urlsplit(url)
    options = [f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}"]
    if parts.path.strip("/"):
        options.append(f"db={parts.path.strip('/')}")
    if parts.username:
        options.append(f"username={unquote(parts.username)}")
    if parts.password:
        options.append(f"password={unquote(parts.password)}")
    if parts.scheme == "rediss":
        options.append("ssl=true")
    if socket_timeout is not None:
        options += [f"socket_timeout={socket_timeout}", f"socket_connect_timeout={socket_timeout}"]
    return ",".join(options)


def registry_file(settings: FeatureSettings) -> Path | None:
    """The file of Feast's registry; None when it is in Postgres."""
    where = settings.feast_registry_url.get_secret_value()
    if re.match(r"postgres(ql)?(\+\w+)?://", where):
        return None
    return Path(where) if where else settings.feast_folder / "registry.db"
