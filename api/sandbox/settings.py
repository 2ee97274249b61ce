"""The gateway's own configuration.

The gateway represents an external system, so of the shop's secrets it reads only the shared key.
"""

from pydantic import Field, SecretStr

from api.kernel.environment import Environment


class SandboxSettings(Environment):
    """The gateway's address and key, and how long it stalls."""

    sandbox_url: str = "http://127.0.0.1:8010"
    """Base URL of the sandbox gateway, and where it listens."""
    sandbox_key: SecretStr = Field(min_length=8)
    """Shared by the shop and the sandbox gateway; at least 8 characters."""
    sandbox_stall_seconds: float = Field(default=30.0, ge=0)
    """How long `pm_sandbox_timeout` keeps the first caller waiting after the money is already held."""
