"""Passwords, secrets, signing key and ports: generated once per state directory, then kept."""

import json
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.layout import Layout
from orchestration.runtime.ports import choose_port, is_free
from warehouse.files import replace_file

_VERSION = 1  # of config.json; increased when an older Souk cannot read the file
PORT_NAMES = ("postgres", "redis", "sandbox", "api", "serving", "dagster", "dagster-code", "mlflow")


def _damaged(layout: Layout, how: str) -> RuntimeProblem:
    # Never regenerated automatically: the data in the same directory needs the passwords in it.
    return RuntimeProblem(
        f"{layout.config} is damaged ({how}). Restore a copy, or move {layout.home} away to begin anew."
    )


def _readable(layout: Layout, text: bytes) -> object:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _damaged(layout, f"no JSON: {error}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > _VERSION:
        raise RuntimeProblem(
            f"{layout.home} was made by a newer Souk (its config.json has version {version}, this one knows up to"
            f" {_VERSION}): take the newer Souk, or set SOUK_HOME to another folder. Nothing was changed."
        )
    return content


def _password() -> str:
    return secrets.token_hex(16)  # hex needs no quoting in a URL


def _secret() -> str:
    return secrets.token_hex(32)


class Config(BaseModel):
    """The content of config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = _VERSION
    ports: dict[str, int] = Field(default_factory=dict)
    postgres_password: str = Field(default_factory=_password, repr=False)
    owner_password: str = Field(default_factory=_password, repr=False)
    replicator_password: str = Field(default_factory=_password, repr=False)
    redis_password: str = Field(default_factory=_password, repr=False)
    secret_key: str = Field(default_factory=_secret, repr=False)
    sandbox_key: str = Field(default_factory=_secret, repr=False)

    @classmethod
    def load(cls, layout: Layout) -> Self | None:
        """The stored config, or None before the first start.

        Raises: RuntimeProblem when the file is damaged or of a newer version.
        """
        try:
            text = layout.config.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return cls.model_validate(_readable(layout, text))
        except ValidationError as error:
            wrong = error.errors()[0]
            raise _damaged(layout, f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from error

    def save(self, layout: Layout) -> None:
        """Write config.json, 0600."""
        replace_file(layout.config, json.dumps(self.model_dump(), indent=2) + "\n", mode=0o600)

    def with_free_ports(self, running: Collection[str] = ()) -> tuple[Self, list[str]]:
        """A config in which every port is set and free; services in `running` keep theirs.

        Returns the config and the names whose port changed.
        """
        ports = {name: port for name, port in self.ports.items() if name in PORT_NAMES}
        moved = []
        for name in PORT_NAMES:
            if name in running and name in ports:
                continue
            if name in ports and is_free(ports[name]):
                continue
            if name in ports:
                moved.append(name)
            ports[name] = choose_port(taken=set(ports.values()))
        return self.model_copy(update={"ports": ports}), moved


def ensure_signing_key(layout: Layout) -> Path:
    """The Ed25519 key (PEM, PKCS8) that signs access tokens; created on first use."""
    path = layout.keys / "jwt.pem"
    if not path.exists():
        from cryptography.hazmat.primitives import (
            serialization,  # slow to import, and needed once per state directory
        )
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace_file(path, pem.decode("ascii"), mode=0o600)
    return path
