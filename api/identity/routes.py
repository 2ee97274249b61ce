"""HTTP of accounts and address books."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.delivery.errors import AddressNotValid
from api.identity import addresses, commands, queries, tokens
from api.identity.errors import (
    AccountSuspended,
    AddressNotFound,
    EmailTaken,
    InvalidCredentials,
    InvalidRefreshToken,
    SessionEnded,
    TooManyAddresses,
)
from api.identity.schemas import (
    Address,
    AddressIn,
    AddressList,
    Login,
    Profile,
    ProfileChange,
    RefreshRequest,
    Register,
    Session,
    SignedInUser,
)
from api.kernel.auth import CurrentActor, SignedIn, renew_session
from api.kernel.context import Ctx
from api.kernel.errors import MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.ids import parse_id
from api.kernel.problems import responses

router = APIRouter(tags=["identity"])
_BODY = (MalformedRequest, ValidationFailed)


@router.post(
    "/auth/register",
    status_code=201,
    operation_id="register",
    summary="Create an account and sign in",
    responses=responses(EmailTaken, *_BODY),
)
async def register(request: Request, ctx: Ctx, actor: CurrentActor, body: Register) -> SignedInUser:
    """Create an account and sign in. A guest's cart becomes the account's, and the guest's session is replaced."""
    signed_in = await commands.register(ctx, actor, body)
    renew_session(request, ctx)
    return signed_in


@router.post(
    "/auth/login",
    operation_id="login",
    summary="Sign in",
    responses=responses(InvalidCredentials, AccountSuspended, *_BODY),
)
async def login(request: Request, ctx: Ctx, actor: CurrentActor, body: Login) -> SignedInUser:
    """Sign in. A guest's cart is merged into the account's, and the guest's session is replaced."""
    signed_in = await commands.login(ctx, actor, body)
    renew_session(request, ctx)
    return signed_in


@router.post(
    "/auth/refresh",
    operation_id="refresh",
    summary="Exchange a refresh token for a new pair",
    responses=responses(InvalidRefreshToken, *_BODY),
)
async def refresh(ctx: Ctx, body: RefreshRequest) -> Session:
    """Exchange a refresh token for a new pair. Each token is valid once: a second use ends the whole session."""
    return await tokens.refresh(ctx, body.refresh_token)


@router.post(
    "/auth/logout",
    status_code=204,
    operation_id="logout",
    summary="End the session of a refresh token",
    responses=responses(*_BODY),
)
async def logout(ctx: Ctx, body: RefreshRequest) -> Response:
    """End the session of this refresh token. Always 204."""
    await tokens.logout(ctx, body.refresh_token)
    return Response(status_code=204)


@router.get(
    "/users/me",
    operation_id="getProfile",
    summary="The caller's own account",
    responses=responses(NotAuthenticated, SessionEnded),
)
async def get_profile(ctx: Ctx, actor: SignedIn) -> Profile:
    """The caller's own account."""
    async with ctx.db.read() as tx:
        return await queries.profile_of(tx, actor)


@router.patch(
    "/users/me",
    operation_id="changeProfile",
    summary="Change name or phone",
    responses=responses(NotAuthenticated, *_BODY),
)
async def change_profile(ctx: Ctx, actor: SignedIn, body: ProfileChange) -> Profile:
    """Change name or phone; fields that are not sent keep their values."""
    return await commands.change_profile(ctx, actor, body)


@router.get(
    "/users/me/addresses",
    operation_id="listAddresses",
    summary="The caller's address book, default first",
    responses=responses(NotAuthenticated),
)
async def list_addresses(ctx: Ctx, actor: SignedIn) -> AddressList:
    """The caller's address book, default first."""
    async with ctx.db.read() as tx:
        return AddressList(addresses=await queries.addresses_of(tx, actor))


@router.post(
    "/users/me/addresses",
    status_code=201,
    operation_id="addAddress",
    summary="Add an address",
    responses=responses(NotAuthenticated, TooManyAddresses, AddressNotValid, *_BODY),
)
async def add_address(ctx: Ctx, actor: SignedIn, body: AddressIn) -> Address:
    """Add an address. The first one, and one sent with `isDefault`, becomes the default."""
    return await addresses.add_address(ctx, actor, body)


@router.delete(
    "/users/me/addresses/{addressId}",
    status_code=204,
    operation_id="deleteAddress",
    summary="Delete an address",
    responses=responses(NotAuthenticated, AddressNotFound),
)
async def delete_address(
    ctx: Ctx, actor: SignedIn, address_id: Annotated[str, Path(alias="addressId", max_length=100)]
) -> Response:
    """Delete an address; orders keep their own copy.

    If it was the default, the newest remaining one becomes the default.
    """
    known = parse_id(address_id)
    if known is None:
        raise AddressNotFound("Your address book has no such address.")
    await addresses.delete_address(ctx, actor, known)
    return Response(status_code=204)
