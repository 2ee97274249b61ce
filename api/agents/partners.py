"""Who calls: a partner by its token, in a version that the shop speaks, with a signature where it has agreed on one."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request

from api.agents.errors import Refused
from api.kernel import clock
from api.kernel.context import Ctx
from api.kernel.errors import NotAuthenticated
from api.kernel.idempotency import MAX_KEY, IdempotencyKeyMissing, RequestKey
from api.kernel.settings import AgentPartner

VERSIONS = ("2026-04-17",)
# How far from now the signed time of a request may be.
TOLERANCE_SECONDS = 300


async def partner_of(
    request: Request,
    ctx: Ctx,
    *,
    authorization: Annotated[str | None, Header(description="`Bearer TOKEN` of the partner")] = None,
    api_version: Annotated[str | None, Header(alias="API-Version", description="2026-04-17")] = None,
    signature: Annotated[
        str | None, Header(description="Of partners with a signing key: base64url of HMAC-SHA256")
    ] = None,
    timestamp: Annotated[str | None, Header(description="RFC 3339, signed with the body")] = None,
) -> str:
    """The name of the partner. Raises: NotAuthenticated, Refused."""
    scheme, _, token = (authorization or "").partition(" ")
    found = _known(ctx.settings.agent_partners, token.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise NotAuthenticated(
            "Send `Authorization: Bearer TOKEN` with the partner's token.", headers={"WWW-Authenticate": "Bearer"}
        )
    if api_version not in VERSIONS:
        code = "missing_api_version" if api_version is None else "unsupported_api_version"
        raise Refused(400, code, f"Send API-Version: {VERSIONS[-1]}.", more={"supported_versions": list(VERSIONS)})
    name, partner = found
    if partner.signing_key is not None:
        _require_signature(partner.signing_key.get_secret_value(), signature, timestamp, await request.body())
    return name


CurrentPartner = Annotated[str, Depends(partner_of)]


async def request_key(
    request: Request, partner: CurrentPartner, idempotency_key: Annotated[str | None, Header()] = None
) -> RequestKey:
    """The key of this request: of its partner and its address. Raises: IdempotencyKeyMissing, Refused."""
    key = idempotency_key or ""
    if not key:
        raise IdempotencyKeyMissing("The header Idempotency-Key is needed: 1 to 255 characters.")
    if len(key) > MAX_KEY or not key.isprintable():
        raise Refused(400, "invalid", "An Idempotency-Key has 1 to 255 printable characters.")
    route = f"{request.method} {request.url.path}"
    place = hashlib.sha256(route.encode()).hexdigest()
    digest = hashlib.sha256(canonical(await request.body())).digest()
    return RequestKey(f"agent:{partner}:{place}", key, route[:200], digest)


PartnersKey = Annotated[RequestKey, Depends(request_key)]


def canonical(body: bytes) -> bytes:
    """JSON without what makes no difference: spaces, the order of members, 1.0 for 1. What is no JSON stays."""
    try:
        return orjson.dumps(_plain(orjson.loads(body)), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body


def signature_of(key: str, timestamp: str, body: bytes) -> str:
    """base64url, without padding, of HMAC-SHA256 over the time, a full stop and the canonical body."""
    mac = hmac.digest(key.encode(), timestamp.encode() + b"." + canonical(body), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def _known(partners: dict[str, AgentPartner], token: str) -> tuple[str, AgentPartner] | None:
    """The partner of the token; every one is compared, so that time tells nothing."""
    given = token.encode()
    found = [
        (name, one)
        for name, one in partners.items()
        if hmac.compare_digest(one.token.get_secret_value().encode(), given)
    ]
    return found[0] if found else None


def _require_signature(key: str, signature: str | None, timestamp: str | None, body: bytes) -> None:
    """Raises: Refused, with one wording for a wrong and a missing signature."""
    wrong = Refused(401, "invalid_signature", "Sign the timestamp and the canonical body with the key agreed on.")
    if signature is None or timestamp is None or not signature.isascii():
        raise wrong
    if not hmac.compare_digest(signature_of(key, timestamp, body).encode(), signature.rstrip("=").encode()):
        raise wrong
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        raise wrong from None
    if at.tzinfo is None or abs((clock.now() - at).total_seconds()) > TOLERANCE_SECONDS:
        raise Refused(401, "stale_timestamp", "The timestamp is too far from now; sign the request again.")


def _plain(value: Any) -> Any:  # Any: JSON
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
