"""Hosts of a network of their own: Linux network namespaces joined by a bridge, apart from this machine's network."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

_NETWORK = "10.77.0"


class NamespacesRefused(Exception):
    """This machine gives no network namespaces; the message says why."""


@dataclass(frozen=True)
class Host:
    """A namespace with one address besides its own loopback."""

    namespace: str
    address: str

    def command(self, *argv: str) -> list[str]:
        """The command, run in this host's network. The process keeps its id."""
        return ["ip", "netns", "exec", self.namespace, *argv]


@contextmanager
def hosts(names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """One host a name; each reaches the others. Raises NamespacesRefused."""
    if shutil.which("ip") is None:
        raise NamespacesRefused("there is no program `ip` (Debian: apt-get install iproute2)")
    prefix = f"souk-{os.getpid()}"
    bridge = f"{prefix}-bridge"
    with ExitStack() as stack:
        for name in (bridge, *(f"{prefix}-{name}" for name in names)):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", bridge, "link", "add", "bridge", "type", "bridge")
        _ip("-n", bridge, "link", "set", "bridge", "up")
        found = {}
        for number, name in enumerate(names, start=1):
            host = Host(f"{prefix}-{name}", f"{_NETWORK}.{number}")
            port = f"port{number}"
            _ip("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
            _ip("-n", bridge, "link", "set", port, "master", "bridge", "up")
            _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.namespace, "link", "set", "eth0", "up")
            found[name] = host
        yield found


def _ip(*argv: str) -> None:
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NamespacesRefused(f"`ip {' '.join(argv)}`: {done.stderr.strip()}")
