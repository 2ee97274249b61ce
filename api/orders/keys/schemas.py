"""Bodies of licence keys."""

from typing import Annotated

from pydantic import Field

from api.kernel.schemas import Wire, WireId, WireTime
from api.kernel.texts import OneLine
from api.orders.schemas import Reason

MOST_KEYS = 1_000


Keys = Annotated[
    list[Annotated[OneLine, Field(min_length=1, max_length=500, examples=["AAAA-BBBB-CCCC"])]],
    Field(min_length=1, max_length=MOST_KEYS),
]


class AddKeys(Wire):
    """Keys that nobody has yet. One that the variant has or had already, a withdrawn one too, changes nothing."""

    keys: Keys


class WithdrawKeys(Wire):
    """Keys that nobody is to have any more. One that was withdrawn before changes nothing."""

    keys: Keys
    reason: Reason | None = None


class KeyPool(Wire):
    """How many keys of a variant are `delivered`, `withdrawn`, or neither (`undelivered`): those that can be sold
    (`available`), and those of orders that are not paid yet."""

    variant_id: WireId
    available: int
    undelivered: int
    delivered: int
    withdrawn: int


class Withdrawal(Wire):
    """`keys`: how many. `withdrawnBy`: the account of who withdrew them."""

    withdrawn_at: WireTime
    withdrawn_by: WireId
    keys: int
    reason: str | None


class KeyPoolOverview(KeyPool):
    """`withdrawals`: the newest 20, the newest first."""

    withdrawals: list[Withdrawal]


class AddedKeys(KeyPool):
    """`added`: those of the request that are new."""

    added: int


class WithdrawnKeys(KeyPool):
    """`taken`: those of the request that were in the pool until now."""

    taken: int
