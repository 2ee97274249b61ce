"""Addresses in the forms that Feast expects."""

from urllib.parse import unquote, urlsplit


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
