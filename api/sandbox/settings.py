"""The configuration of the gateway and the carrier.

They represent external systems, so of the shop's secrets they read only the shared key.
"""

from pydantic import Field, SecretStr

from api.kernel.environment import Environment


class SandboxSettings(Environment):
    """The address and key of gateway and carrier, how long the one stalls, and how fast the other is."""

    sandbox_url: str = "http://127.0.0.1:8010"
    """Base URL of the sandbox gateway, and where it listens."""
    sandbox_key: SecretStr = Field(min_length=8)
    """Shared by the shop and the sandbox gateway; at least 8 characters."""
    api_url: str = "http://127.0.0.1:8000"
    """Base URL of the shop, and where it listens."""
    sandbox_carrier_seconds: float = Field(default=20.0, ge=0)
    """How long a parcel of the sandbox carrier stands still between two scans; 0: it moves only when it is told to."""
    sandbox_stall_seconds: float = Field(default=30.0, ge=0)
    """How long `pm_sandbox_timeout` keeps the first caller waiting after the money is already held."""
