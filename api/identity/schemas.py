"""Bodies of requests and responses about accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.kernel.contacts import Email, Phone
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine, SomeLines

UserType = Literal["customer", "seller"]


# The password rules check the length and name the reason; this limit only bounds the work.
PasswordText = Annotated[str, Field(min_length=1, max_length=1_000, examples=["correct horse battery"])]
PersonName = Annotated[OneLine, Field(min_length=1, max_length=255, examples=["Anna Shopper"])]
OpaqueToken = Annotated[str, Field(min_length=1, max_length=200)]


class _Secretive(Wire):
    """The base of bodies with a password: unlike other bodies, it does not strip blanks."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Register(_Secretive):
    email: Email
    password: PasswordText
    name: PersonName
    phone: Phone | None = None
    user_type: UserType = "customer"


class Login(_Secretive):
    email: Email
    password: PasswordText


class RefreshRequest(Wire):
    refresh_token: OpaqueToken


class UserBrief(Wire):
    user_id: UUID
    email: str
    name: str
    user_type: str


class Session(Wire):
    """`expiresIn` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme of RFC 6750
    expires_in: int


class SignedInUser(Session):
    user: UserBrief


class Profile(UserBrief):
    phone: str | None
    prime_member: bool
    prime_expiry: datetime | None
    created_at: datetime
    updated_at: datetime


class ProfileChange(Wire):
    """Absent fields keep their values; `phone: null` removes the number."""

    name: PersonName | None = None
    phone: Phone | None = None


AddressText = Annotated[OneLine, Field(min_length=1, max_length=100)]


class AddressIn(Wire):
    """`state` and `zipCode` where the country's addresses have them. `country` by its ISO 3166 code or its name."""

    address_type: Literal["home", "work", "other"] | None = None
    street: Annotated[SomeLines, Field(min_length=1, max_length=500, examples=["1 Market Street"])]
    city: AddressText
    state: Annotated[OneLine, Field(max_length=100, examples=["CA"])] | None = None
    zip_code: Annotated[OneLine, Field(max_length=20, examples=["94105"])] | None = None
    country: Annotated[OneLine, Field(min_length=2, max_length=100, examples=["US"])]
    is_default: bool = False


class Address(AddressIn):
    address_id: UUID
    created_at: datetime


class AddressList(Wire):
    addresses: list[Address]
