"""The configuration of every `api` process: one frozen object, read once at start and passed down."""

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, SecretStr, model_validator

from api.kernel.environment import DATABASE, LOCAL_REDIS, REDIS, Environment, Failpoints, MartsPath, Profile
from api.kernel.languages import DEFAULT, Languages


class SandboxConnection(BaseModel):
    """How to reach one gateway of kind `sandbox`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sandbox"]
    url: str
    key: SecretStr


class SandboxCarrierConnection(BaseModel):
    """How to reach one carrier of kind `sandbox`; it signs its messages with the key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sandbox"]
    url: str
    key: SecretStr


class AgentPartner(BaseModel):
    """Whose agents may shop for buyers: the token of their requests, and the key of their signatures, if they sign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: Annotated[SecretStr, Field(min_length=16)]
    signing_key: Annotated[SecretStr, Field(min_length=16)] | None = None


# The name is stored with every payment, or label, in a column of 20 characters.
GatewayName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,19}$")]


def _languages(value: str) -> str:
    return ",".join(Languages.of(value).known)


def _formerly(name: str) -> AliasChoices:
    """The variable of a field that was once read without the prefix; both are accepted."""
    return AliasChoices(f"SOUK_{name}", name)


class Settings(Environment):
    """Names are shared with the other packages; defaults suit a single machine. Money is in `currency`."""

    database_url: SecretStr = Field(validation_alias="DATABASE_URL", description=DATABASE)
    redis_url: SecretStr = Field(default=LOCAL_REDIS, validation_alias="REDIS_URL", description=REDIS)
    marts_path: MartsPath
    profile: Profile = "demo"
    failpoints: Failpoints = ""
    api_url: str = "http://127.0.0.1:8000"
    """Base URL of the shop, and where it listens."""
    sandbox_url: str = "http://127.0.0.1:8010"
    """Base URL of the sandbox gateway, and where it listens."""
    serving_url: str = "http://127.0.0.1:8020"
    """Base URL of the recommender, and where it listens."""
    sandbox_key: SecretStr = SecretStr("")
    """Shared by the shop and the sandbox gateway; at least 8 characters."""
    secret_key: SecretStr = SecretStr("")
    """Signs cookies and cursors; at least 32 characters."""
    jwt_key_file: Path | None = None
    """PEM file of the Ed25519 key that signs access tokens."""
    api_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Processes of the shop; by default one per core."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Events below this level are not logged."""

    database_read_url: SecretStr | None = None
    """libpq URL of a standby for reads of the catalog. Without it the primary answers them."""
    database_read_max_lag_seconds: float = Field(default=5.0, gt=0)
    """A standby that is further behind is not read."""
    db_pool_size: int = Field(default=10, ge=1)
    """Connections of one process to Postgres for writes, and as many for reads and for those of a standby."""
    db_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a request waits for a connection before it is answered 503."""
    db_statement_timeout_ms: int = Field(
        default=5_000, validation_alias=AliasChoices("SOUK_DB_STATEMENT_TIMEOUT_MS", "STATEMENT_TIMEOUT_MS")
    )
    """A statement that runs longer is cancelled."""
    db_lock_timeout_ms: int = Field(default=2_000, ge=1)
    """A statement that waits longer for a lock is cancelled."""
    db_idle_in_transaction_timeout_ms: int = Field(
        default=10_000,
        validation_alias=AliasChoices("SOUK_DB_IDLE_IN_TRANSACTION_TIMEOUT_MS", "IDLE_IN_TRANSACTION_TIMEOUT_MS"),
    )
    """A transaction that does nothing for longer is ended."""

    catalog_languages: Annotated[str, AfterValidator(_languages)] = DEFAULT
    """The languages that the catalog may be in, as BCP 47 tags with commas: the first is the shop's own, which a
    product is in that names none, and a reader gets who asks for none."""
    currency: Literal["GBP", "USD", "EUR"] = "USD"
    """The currency of prices and totals."""
    market: str = Field(default="US", pattern="^[A-Z]{2}$")
    """The country (ISO 3166) whose tax and delivery are shown as long as no address is known."""
    tax_rate: Decimal = Field(default=Decimal("0.08"), ge=0, lt=1)
    """Tax on goods in the United States, on top of the price. Other countries have the rates of the tax table."""
    shipping_fee: Decimal = Field(default=Decimal("4.99"), validation_alias=_formerly("SHIPPING_FEE"))
    """Charged on orders below `free_shipping_from`."""
    free_shipping_from: Decimal = Field(default=Decimal("35.00"), validation_alias=_formerly("FREE_SHIPPING_FROM"))
    """Subtotal from which shipping is free."""
    shipping_fee_by_zone: dict[Literal["local", "regional", "national", "international"], Decimal] = Field(
        default_factory=dict
    )
    """On top of `shipping_fee`, as JSON, zone -> amount: by the distance of the farthest parcel."""
    shipping_fee_by_speed: dict[Literal["standard", "prime_2day", "prime_next_day"], Decimal] = Field(
        default_factory=dict
    )
    """On top of all other fees, as JSON, speed -> amount; also where shipping is free otherwise."""
    shipping_kilo_fee: Decimal = Field(default=Decimal("0.00"), ge=0)
    """For each begun kilogram above `shipping_kilos_included`."""
    shipping_kilos_included: int = Field(default=30, ge=0)
    """Kilograms that `shipping_fee` pays for."""

    reservation_seconds: int = Field(default=600, ge=1)
    """How long stock is held for an unfinished checkout, since it was taken or its buyer last asked for the answer."""
    reservation_limit_seconds: int = Field(default=1800, ge=1)
    """The longest that stock is held for an unfinished checkout, however often its buyer asks."""
    checkout_lease_seconds: int = Field(default=30, ge=1)
    """After this another process may continue a checkout."""
    checkout_deadline_seconds: int = Field(default=60, validation_alias=_formerly("CHECKOUT_DEADLINE_SECONDS"))
    """An unfinished checkout older than this is given up and compensated."""
    order_edit_seconds: int = Field(default=900, ge=1)
    """How long the price of a staged edit of an order holds."""
    checkout_isolation: Literal["READ COMMITTED", "SERIALIZABLE"] = "READ COMMITTED"
    """Isolation of the statement that takes stock. Its own guards are sufficient; SERIALIZABLE is tried once and gives
    way to READ COMMITTED after a conflict."""
    cart_ttl_seconds: int = Field(default=30 * 24 * 3600, validation_alias=_formerly("CART_TTL_SECONDS"))
    """A signed-in shopper's cart that is not changed for this long expires."""
    guest_cart_ttl_seconds: int = Field(default=7 * 24 * 3600, validation_alias=_formerly("GUEST_CART_TTL_SECONDS"))
    """A guest's cart that is not changed for this long expires."""
    cart_streams: int = Field(default=1_000, ge=0)
    """Streams of cart changes that one process of the shop keeps open; one more is answered 503."""
    access_token_seconds: int = Field(default=600, validation_alias=_formerly("ACCESS_TOKEN_SECONDS"))
    """Life of an access token."""
    refresh_token_seconds: int = Field(default=30 * 24 * 3600, validation_alias=_formerly("REFRESH_TOKEN_SECONDS"))
    """Life of a refresh token."""
    idempotency_retention_seconds: int = Field(
        default=72 * 3600, validation_alias=_formerly("IDEMPOTENCY_RETENTION_SECONDS")
    )
    """How long the answer to an idempotency key is kept."""
    payment_gateway: GatewayName = "sandbox"
    """Takes new payments. What was authorised elsewhere is captured, voided and refunded there."""
    payment_gateways: dict[GatewayName, SandboxConnection] = Field(default_factory=dict)
    """Further gateways as JSON, name -> {"kind": "sandbox", "url": ..., "key": ...}; `sandbox` is always there."""
    gateway_timeout_seconds: float = Field(default=3.0, gt=0)
    """Deadline of a call to a payment gateway."""
    carriers: dict[GatewayName, SandboxCarrierConnection] = Field(default_factory=dict)
    """Further carriers as JSON, name -> {"kind": "sandbox", "url": ..., "key": ...}; `sandbox` is always there."""
    carrier_timeout_seconds: float = Field(default=5.0, gt=0)
    """Deadline of a call to a carrier."""
    carrier_tolerance_seconds: float = Field(default=300.0, gt=0)
    """How far from now the signed time of a carrier's message may be."""
    lost_after_days: int = Field(default=10, ge=1)
    """A parcel with a label of ours that was promised so long ago, and not scanned since, is lost: its buyer is
    refunded."""
    serving_timeout_seconds: float = Field(default=0.25, gt=0)
    """Deadline of a call to the recommender."""
    search_url: SecretStr | None = None
    """An OpenSearch cluster that searches: https://user:password@host:9200. Without it search is in process, on files
    in the folder `search` of the state directory."""
    search_semantic: bool = False
    """Products that a search finds first are ordered by what their texts mean too: serving keeps products' vectors and
    encodes queries, the pipeline encodes products, and the shop asks."""
    search_personal: bool = False
    """Products that a search finds first are ordered by what their shopper bought and looked at too."""
    search_stages_seconds: float = Field(default=0.015, gt=0)
    """How long a search waits for serving's scores; after it the order is that of the words alone."""
    page_cache_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    """Ready pages that one process of the shop keeps; 0: none, here or in Redis."""
    events_stream_limit: int = Field(default=1_000_000, ge=1)
    """Behaviour events that the stream may hold before new ones are spooled; its consumers free it."""
    events_spool_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    """Behaviour events that may wait on disk before new ones are refused."""
    mail_smtp_url: SecretStr | None = None
    """The server that takes mail: smtp://user:password@host:587, encrypted when it offers STARTTLS, or smtps://.
    Without it mail goes to the folder `mail` of the state directory, which `souk mail` shows."""
    mail_from: str = "Souk <no-reply@souk.example>"
    """The sender of every mail."""
    mail_per_second: float = Field(default=50.0, gt=0)
    """Mails that one worker delivers in a second at most."""
    mail_retention_seconds: int = Field(default=30 * 24 * 3600, ge=60)
    """How long a delivered mail, its row and its file, is kept."""
    mail_folder_limit: int = Field(default=5_000, ge=1)
    """Mails that the folder keeps; the oldest are deleted."""
    order_token_seconds: int = Field(default=90 * 24 * 3600, ge=60)
    """How long the code in the mail of a guest's order opens it."""
    claim_token_seconds: int = Field(default=24 * 3600, ge=60)
    """How long the code works that adds guest orders to an account."""
    claim_mails_per_hour: int = Field(default=5, ge=1)
    """Mails with such a code that one account, or one address, gets in an hour."""
    review_request_seconds: int = Field(default=7 * 24 * 3600, ge=0)
    """How long after its delivery the buyer of a product is asked for a review."""
    max_body_bytes: int = Field(default=1_048_576, validation_alias=_formerly("MAX_BODY_BYTES"))
    """A longer request body is refused, but for files."""
    long_bodies: int = Field(default=8, ge=1)
    """Longer bodies, with pictures or files of products, that one process takes at a time; 503 says to come again."""
    long_bodies_each: int = Field(default=2, ge=1)
    """Those of one seller among them; 429 says to come again."""
    seller_verification: Literal["sandbox", "administrators"] | None = None
    """Who says that new sellers are who they say they are: `sandbox`, at once, or `administrators`. Without it the
    sandbox, but administrators in production."""
    approval_score: int = Field(default=100, ge=1, le=1_000)
    """A product of whose risk the rules say so much waits for an administrator (docs/approval.md)."""
    review_queue_score: float = Field(default=0.5, gt=0, le=1)
    """A review against which the rules say so much waits for an administrator (docs/reviews.md)."""
    review_queue_score_unverified: float = Field(default=0.3, gt=0, le=1)
    """The same where the author did not receive the product here."""
    review_reject_score: float = Field(default=0.95, gt=0, le=1)
    """A review against which the rules say so much is rejected."""
    review_toxicity_seconds: float = Field(default=0.3, gt=0)
    """How long a review waits for the model of toxic language; after it the model reads it later."""
    bulk_max_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    """A longer file of products is refused."""
    bulk_lease_seconds: float = Field(default=15.0, gt=0)
    """How long nobody else goes on with a file of products after the worker that reads it was last heard of."""
    bulk_open_jobs: int = Field(default=10, ge=1)
    """Files of one seller that may wait at a time."""
    agent_partners: dict[GatewayName, AgentPartner] = Field(default_factory=dict)
    """Partners whose agents shop here, as JSON, name -> {"token": ..., "signing_key": ...}; the key may be left out."""
    agent_session_seconds: int = Field(default=6 * 3600, ge=1)
    """How long an agent's checkout session can be completed after its last change."""
    feeds_seconds: int = Field(default=900, ge=1)
    """How old product feeds and the site map may be before they are made again."""
    bulk_retention_seconds: int = Field(default=30 * 24 * 3600, ge=60)
    """How long the report of a file of products is kept."""
    download_file_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """A longer file of a digital product is refused."""
    download_link_seconds: int = Field(default=900, ge=1)
    """How long a link to a file that was bought works; the order makes new ones."""
    downloads_per_unit: int = Field(default=10, ge=1)
    """How often a buyer may download a file, for each unit of it."""
    download_days: int = Field(default=365, ge=1)
    """How long after its delivery a file can be downloaded."""
    media_uri: str | None = Field(default=None, pattern=r"^s3://[^/\s]+(/\S*)?$")
    """Keeps pictures: s3://bucket/prefix. Without it they are files in the folder `media` of the state directory."""
    media_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    """A longer request body with pictures, of a product or a review, is refused."""
    media_picture_bytes: int = Field(default=10 * 1024 * 1024, ge=1)
    """A longer picture is refused."""
    media_fetch_seconds: float = Field(default=10.0, gt=0)
    """How long the shop waits for a picture that a seller named by its address."""
    media_trusted_hosts: frozenset[str] = frozenset()
    """As JSON, HOST:PORT of servers that pictures are fetched from although their address is a private one."""
    media_orphan_seconds: int = Field(default=24 * 3600, ge=0)
    """How long a picture is kept that nothing shows any more, or whose upload was not finished."""

    @model_validator(mode="after")
    def _require_mail_addresses(self) -> Self:
        url = "" if self.mail_smtp_url is None else self.mail_smtp_url.get_secret_value()
        if url and not re.fullmatch(r"smtps?://[^/\s]+/?", url):
            raise ValueError("SOUK_MAIL_SMTP_URL: must be smtp://user:password@host:port or smtps://...")
        if not re.fullmatch(r"[^<>\r\n]* ?<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", self.mail_from):
            raise ValueError(f"SOUK_MAIL_FROM: {self.mail_from!r} is not `Name <address@host>`")
        return self

    @model_validator(mode="after")
    def _require_known_gateway(self) -> Self:
        if "sandbox" in self.payment_gateways:
            raise ValueError("SOUK_PAYMENT_GATEWAYS: the gateway 'sandbox' is set by SOUK_SANDBOX_URL and _KEY")
        if self.payment_gateway not in self.gateways:
            known = ", ".join(sorted(self.gateways))
            raise ValueError(f"SOUK_PAYMENT_GATEWAY: {self.payment_gateway!r} is not one of {known}")
        return self

    @model_validator(mode="after")
    def _require_other_carriers(self) -> Self:
        if "sandbox" in self.carriers:
            raise ValueError("SOUK_CARRIERS: the carrier 'sandbox' is set by SOUK_SANDBOX_URL and _KEY")
        return self

    @property
    def verifies_sellers_at_once(self) -> bool:
        """Whether new sellers are verified by the sandbox."""
        chosen = self.seller_verification
        return self.profile != "production" if chosen is None else chosen == "sandbox"

    @cached_property
    def languages(self) -> Languages:
        """Those that the catalog may be in."""
        return Languages.of(self.catalog_languages)

    @cached_property
    def carrier_connections(self) -> Mapping[str, SandboxCarrierConnection]:
        """Every carrier that can be asked, by the name that labels keep."""
        sandbox = SandboxCarrierConnection(kind="sandbox", url=self.sandbox_url, key=self.sandbox_key)
        return {"sandbox": sandbox, **self.carriers}

    @cached_property
    def gateways(self) -> Mapping[str, SandboxConnection]:
        """Every payment gateway that can be asked, by the name that payments keep."""
        sandbox = SandboxConnection(kind="sandbox", url=self.sandbox_url, key=self.sandbox_key)
        return {"sandbox": sandbox, **self.payment_gateways}

    @property
    def postgres_url(self) -> str:
        """The libpq URL of the database."""
        return _libpq("DATABASE_URL", self.database_url)

    @property
    def standby_url(self) -> str | None:
        """The libpq URL of the standby, if there is one."""
        return None if self.database_read_url is None else _libpq("SOUK_DATABASE_READ_URL", self.database_read_url)

    @property
    def sqlalchemy_url(self) -> str:
        """The same with SQLAlchemy's psycopg 3 driver named."""
        return self.postgres_url.replace("postgresql://", "postgresql+psycopg://", 1)


def _libpq(variable: str, url: SecretStr) -> str:
    for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.get_secret_value().startswith(prefix):
            return "postgresql://" + url.get_secret_value().removeprefix(prefix)
    raise ValueError(f"{variable} must start with postgresql://")


def load_settings() -> Settings:
    """Read the environment once. Raises InvalidSettings naming each missing or wrong variable."""
    return Settings()
