"""How toxic texts are: the model runs in `serving`, because what it is made with is heavy."""

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError

from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.kernel.outbound import OutboundClient, Unreachable
from api.reviews.judging.schemas import Toxicity

log = get_logger(__name__)
# Of one text, as far as the shop and the model look.
READ = 5_000


async def toxicity(ctx: Context, texts: Sequence[str], seconds: float) -> list[float] | None:
    """0 to 1 for each text; None when the model has not answered within `seconds`. Not within a transaction."""
    client = OutboundClient(ctx.http, "toxicity", ctx.settings.serving_url, {}, seconds)
    try:
        async with asyncio.timeout(seconds):
            answer = await client.post("/v1/toxicity", {"texts": [text[:READ] for text in texts]})
        scores = Toxicity.model_validate(answer.body).scores if answer.status == 200 else None
    except (Unreachable, TimeoutError, ValidationError) as error:
        log.info("no answer about the language of reviews", reason=type(error).__name__)
        return None
    return scores if scores is not None and len(scores) == len(texts) else None
