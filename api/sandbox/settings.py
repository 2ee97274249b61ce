"""The gateway's own configuration: it stands for another company's system, so it reads none of the shop's secrets but
the shared key."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SandboxSettings(BaseSettings):
    """`stall_seconds` is how long `pm_sandbox_timeout` keeps the first caller waiting after the money is already
    held."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    url: str = Field(default="http://127.0.0.1:8010", alias="SOUK_SANDBOX_URL")
    home: Path = Field(default=Path(".souk"), alias="SOUK_HOME")
    key: SecretStr = Field(alias="SOUK_SANDBOX_KEY", min_length=8)
    stall_seconds: float = Field(default=30.0, alias="SOUK_SANDBOX_STALL_SECONDS", ge=0)
