"""Free TCP ports on loopback."""

import secrets
import socket
from collections.abc import Collection

# Below the kernel's ephemeral range (32768 and up): no outgoing connection can take a port while Souk is stopped.
_LOWEST, _HIGHEST = 20000, 32000


def is_free(port: int) -> bool:
    """Whether a server could bind 127.0.0.1:port now. A port in TIME_WAIT counts as free, as it does for servers."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(taken: Collection[int] = ()) -> int:
    """A free port, chosen at random so that two checkouts that start together do not collide."""
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if port not in taken and is_free(port):
            return port
