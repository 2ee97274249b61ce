"""The answer of `serving` about toxic language."""

from typing import Annotated

from pydantic import BaseModel, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Toxicity(BaseModel):
    """Of each text, in their order; without a value when the model is late."""

    scores: list[Share] | None
