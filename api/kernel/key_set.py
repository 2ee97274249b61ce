"""The public keys that sign access tokens."""

from fastapi import APIRouter

from api.kernel.context import Ctx

router = APIRouter(tags=["identity"])


@router.get("/.well-known/jwks.json", operation_id="getSigningKeys", summary="The public keys that sign access tokens")
async def jwks(ctx: Ctx) -> dict[str, list[dict[str, str]]]:
    return ctx.keys.jwks()
