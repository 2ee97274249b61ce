"""The configuration of every `api` process: one frozen object, read once at start and passed down."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SandboxConnection(BaseModel):
    """How to reach one gateway of kind `sandbox`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sandbox"]
    url: str
    key: SecretStr


# The name is stored with every payment, in a column of 20 characters.
GatewayName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,19}$")]


class Settings(BaseSettings):
    """Environment names are shared with the other packages; defaults suit a single machine.

    Times are seconds unless the name says otherwise. Money is in `default_currency`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr = Field(alias="DATABASE_URL")
    redis_url: SecretStr = Field(default=SecretStr("redis://127.0.0.1:6379/0"), alias="REDIS_URL")
    home: Path = Field(default=Path(".souk"), alias="SOUK_HOME")
    marts_path: Path | None = Field(default=None, alias="SOUK_MARTS_PATH")
    api_url: str = Field(default="http://127.0.0.1:8000", alias="SOUK_API_URL")
    sandbox_url: str = Field(default="http://127.0.0.1:8010", alias="SOUK_SANDBOX_URL")
    serving_url: str = Field(default="http://127.0.0.1:8020", alias="SOUK_SERVING_URL")
    sandbox_key: SecretStr = Field(default=SecretStr(""), alias="SOUK_SANDBOX_KEY")
    secret_key: SecretStr = Field(default=SecretStr(""), alias="SOUK_SECRET_KEY")
    jwt_key_file: Path | None = Field(default=None, alias="SOUK_JWT_KEY_FILE")
    profile: Literal["demo", "production", "test"] = Field(default="production", alias="SOUK_PROFILE")
    failpoints: str = Field(default="", alias="SOUK_FAILPOINTS")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, alias="SOUK_API_WORKERS", ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", alias="SOUK_LOG_LEVEL")

    pool_size: int = Field(default=10, alias="SOUK_DB_POOL_SIZE", ge=1)
    # How long a request waits for a connection before it is answered 503: shed load rather than queue without end.
    pool_timeout_seconds: float = Field(default=5.0, alias="SOUK_DB_POOL_TIMEOUT_SECONDS", gt=0)
    statement_timeout_ms: int = 5_000
    lock_timeout_ms: int = Field(default=2_000, alias="SOUK_DB_LOCK_TIMEOUT_MS", ge=1)
    idle_in_transaction_timeout_ms: int = 10_000

    default_currency: Literal["GBP", "USD", "EUR"] = Field(default="USD", alias="SOUK_CURRENCY")
    tax_rate: Decimal = Field(default=Decimal("0.08"), alias="SOUK_TAX_RATE", ge=0, lt=1)
    shipping_fee: Decimal = Decimal("4.99")
    free_shipping_from: Decimal = Decimal("35.00")

    reservation_seconds: int = Field(default=600, alias="SOUK_RESERVATION_SECONDS", ge=1)
    checkout_lease_seconds: int = Field(default=30, alias="SOUK_CHECKOUT_LEASE_SECONDS", ge=1)
    checkout_deadline_seconds: int = 60
    # For the statement that takes stock. The guards hold at READ COMMITTED; SERIALIZABLE is tried first and gives way
    # under contention.
    checkout_isolation: Literal["READ COMMITTED", "SERIALIZABLE"] = Field(
        default="SERIALIZABLE", alias="SOUK_CHECKOUT_ISOLATION"
    )
    cart_ttl_seconds: int = 30 * 24 * 3600
    guest_cart_ttl_seconds: int = 7 * 24 * 3600
    access_token_seconds: int = 600
    refresh_token_seconds: int = 30 * 24 * 3600
    idempotency_retention_seconds: int = 72 * 3600
    # Takes new payments. What was authorised elsewhere is captured, voided and refunded there.
    payment_gateway: GatewayName = Field(default="sandbox", alias="SOUK_PAYMENT_GATEWAY")
    # JSON, name -> {"kind": "sandbox", "url": ..., "key": ...}, beside the gateway `sandbox`, which is always there.
    payment_gateways: dict[GatewayName, SandboxConnection] = Field(default_factory=dict, alias="SOUK_PAYMENT_GATEWAYS")
    gateway_timeout_seconds: float = Field(default=3.0, alias="SOUK_GATEWAY_TIMEOUT_SECONDS", gt=0)
    serving_timeout_seconds: float = Field(default=0.25, alias="SOUK_SERVING_TIMEOUT_SECONDS", gt=0)
    max_body_bytes: int = 1_048_576

    @model_validator(mode="after")
    def _require_known_gateway(self) -> Self:
        if "sandbox" in self.payment_gateways:
            raise ValueError("SOUK_PAYMENT_GATEWAYS: the gateway 'sandbox' is set by SOUK_SANDBOX_URL and _KEY")
        if self.payment_gateway not in self.gateways:
            known = ", ".join(sorted(self.gateways))
            raise ValueError(f"SOUK_PAYMENT_GATEWAY: {self.payment_gateway!r} is not one of {known}")
        return self

    @property
    def gateways(self) -> Mapping[str, SandboxConnection]:
        """Every payment gateway that can be asked, by the name that payments keep."""
        sandbox = SandboxConnection(kind="sandbox", url=self.sandbox_url, key=self.sandbox_key)
        return {"sandbox": sandbox, **self.payment_gateways}

    @property
    def sqlalchemy_url(self) -> str:
        """The libpq URL with SQLAlchemy's psycopg 3 driver named."""
        url = self.database_url.get_secret_value()
        for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        raise ValueError("DATABASE_URL must start with postgresql://")

    @property
    def marts_file(self) -> Path:
        """Where the published, read-only DuckDB marts lie."""
        return self.marts_path or self.home / "marts" / "souk.duckdb"


def load_settings() -> Settings:
    """Read the environment once. Raises pydantic.ValidationError naming each missing or wrong variable."""
    return Settings()
