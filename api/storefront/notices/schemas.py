"""Bodies of reports about products, of decisions about them, and of objections to those."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from api.catalog.schemas import Status
from api.kernel.card_numbers import refuse_card_number
from api.kernel.contacts import Email
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import OneLine, Prose

ReportReason = Literal["counterfeit", "illegal", "unsafe", "misleading", "offensive", "infringement", "other"]
ReportState = Literal["open", "kept", "removed"]
KeptOrRemoved = Literal["keep", "remove"]
Words = Annotated[Prose, Field(min_length=1, max_length=2_000), AfterValidator(refuse_card_number)]
Statement = Annotated[Words, Field(examples=["The maker confirms that it is genuine."])]
Seen = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["9e107d9d372bb6826bd81d3542a419d6"])]


class ProductReportIn(Wire):
    """Why a product is unlawful or unsafe. `law`: where the law says so, if that is known. `email`: where a guest is
    told what became of it, and obligatory for one; a member is told at the account's address."""

    reason: ReportReason
    comment: Annotated[Words, Field(examples=["The logo is not the maker's."])]
    law: (
        Annotated[OneLine, Field(min_length=1, max_length=500, examples=["Regulation (EU) 2023/988, Article 5"])] | None
    ) = None
    email: Email | None = None


class ReportReceipt(Wire):
    """`token` opens the report, and is in the mail that confirms it."""

    number: str = Field(examples=["REP-0C4A2B9D11EE"])
    token: str
    product_id: UUID
    created_at: WireTime


class ReportLookUp(Wire):
    """`token`: of the receipt."""

    token: Annotated[OneLine, Field(min_length=1, max_length=200)]


class ReportBody(Wire):
    """What became of a report. `statement` and `decidedAt` without a value as long as it is open; they are those of the
    decision about the seller's objection, when there was one."""

    number: str
    product_id: UUID
    title: str
    reason: ReportReason
    comment: str
    law: str | None
    state: ReportState
    statement: str | None
    created_at: WireTime
    decided_at: WireTime | None


class ProductReportBody(Wire):
    """A report as administrators see it. `times`: how often its reporter said it."""

    number: str
    reason: ReportReason
    comment: str
    law: str | None
    by_member: bool
    times: int
    open: bool
    created_at: WireTime


class ProductReportList(Wire):
    """The newest first."""

    reports: list[ProductReportBody]
    pagination: Pagination


class ReportedProduct(Wire):
    """A product with open reports. `reasons`: how many reports give each. `seen`: what a decision names, so that it is
    about these reports and no others."""

    product_id: UUID
    seller_id: UUID
    title: str
    status: Status
    reports: int
    reasons: dict[ReportReason, int]
    first_report_at: WireTime
    seen: str


class ReportedProductList(Wire):
    """Those that have waited longest first."""

    products: list[ReportedProduct]
    pagination: Pagination


class ReportDecisionIn(Wire):
    """What becomes of a product's open reports. Reporters and the seller are told `statement`."""

    seen: Seen
    decision: KeptOrRemoved
    statement: Statement


class ReportDecisionBody(Wire):
    """`reports`: how many it is about. `contested`: the decision that it overrules or confirms, as the seller objected;
    it is about none of its own then."""

    decision_id: UUID
    product_id: UUID
    reports: int
    contested: UUID | None
    decision: KeptOrRemoved
    statement: str
    created_at: WireTime


class ObjectionIn(Wire):
    comment: Annotated[Words, Field(examples=["We buy it from the maker: the invoice is number 17."])]


class Objection(Wire):
    """What a seller said against a decision. `outcome`: what was decided about that, none yet without a value."""

    comment: str
    created_at: WireTime
    outcome: ReportDecisionBody | None


class OwnDecision(Wire):
    """A decision about reports of a product, as its seller reads it. `contestable`: the seller may object, once."""

    decision_id: UUID
    product_id: UUID
    title: str
    reports: int
    reasons: dict[ReportReason, int]
    decision: KeptOrRemoved
    statement: str
    created_at: WireTime
    contestable: bool
    objection: Objection | None


class OwnDecisionList(Wire):
    """The newest first."""

    decisions: list[OwnDecision]
    pagination: Pagination


class OpenObjection(Wire):
    """An objection that waits for an administrator. `version`: of the product, what a decision names."""

    decision_id: UUID
    product_id: UUID
    seller_id: UUID
    title: str
    status: Status
    version: int
    statement: str
    comment: str
    created_at: WireTime


class OpenObjectionList(Wire):
    """The oldest first."""

    objections: list[OpenObjection]
    pagination: Pagination


class ObjectionDecisionIn(Wire):
    """`keep`: the product may be sold again, as the `version` that was looked at; `remove`: it stays off sale."""

    version: Annotated[int, Field(ge=1)]
    decision: KeptOrRemoved
    statement: Statement
