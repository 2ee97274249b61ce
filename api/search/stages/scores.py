"""What the serving process knows of a search's first results, within a deadline."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.kernel.outbound import OutboundClient, Unreachable

log = get_logger(__name__)
# One attempt may take this share of the deadline, so that its failure is counted before the deadline cancels it.
ATTEMPT_SHARE = 0.9
Cosine = Annotated[float, Field(ge=-1.01, le=1.01)]


class Scores(BaseModel):
    """In the order of the products that were asked about. See `fusion.fused`."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    similarity: list[Cosine | None] | None = None
    affinity: list[Annotated[float, Field(ge=0, le=1)]] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: of products, by their ids, for a text, a shopper, or both."""

    product_ids: Sequence[str]
    text: str = ""
    user_id: str | None = None
    recent: Sequence[str] = ()


class ScoresClient:
    """The client of the serving process. Its breaker is its own: a late score says nothing of recommendations."""

    def __init__(self, ctx: Context) -> None:
        settings = ctx.settings
        self._deadline = settings.search_stages_seconds
        self._client = OutboundClient(
            ctx.http, "search-scores", settings.serving_url, {}, self._deadline * ATTEMPT_SHARE
        )

    async def of(self, asked: Asked) -> Scores | None:
        """None when no valid answer came in time."""
        body: dict[str, object] = {
            "text": asked.text,
            "productIds": list(asked.product_ids),
            "userId": asked.user_id,
            "recent": list(asked.recent),
        }
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._client.post("/v1/search-scores", body)
            found = Scores.model_validate(answer.body) if answer.status == 200 else None
        except (Unreachable, TimeoutError, ValidationError) as error:
            log.info("no scores of search results", reason=type(error).__name__)
            return None
        if found is None or any(
            part is not None and len(part) != len(asked.product_ids) for part in (found.similarity, found.affinity)
        ):
            return None
        return found
