"""Bodies of requests and answers about questions."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from api.kernel.card_numbers import refuse_card_number
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import SomeLines

Role = Literal["seller", "buyer", "visitor"]
Reason = Literal["spam", "abuse", "personal_data", "off_topic", "other"]
QuestionText = Annotated[
    SomeLines,
    Field(min_length=3, max_length=1_000, examples=["Does it work with 230 V?"]),
    AfterValidator(refuse_card_number),
]
AnswerText = Annotated[
    SomeLines, Field(min_length=1, max_length=3_000, examples=["Yes, it does."]), AfterValidator(refuse_card_number)
]


class QuestionIn(Wire):
    text: QuestionText


class AnswerIn(Wire):
    text: AnswerText


class ReportIn(Wire):
    reason: Reason
    comment: Annotated[SomeLines, Field(max_length=1_000), AfterValidator(refuse_card_number)] | None = None


class Answer(Wire):
    """`author` as the public knows them: a store's name, or a first name and an initial. `role`: of the seller, of
    somebody who bought it, or of anybody else. `mine` and `voted`: of whoever asks."""

    answer_id: UUID
    text: str
    author: str
    role: Role
    votes: int
    voted: bool
    mine: bool
    created_at: WireTime
    edited_at: WireTime | None


class Question(Wire):
    """`answers`: the first ones, the seller's before others, then by votes; `answerCount` of all."""

    question_id: UUID
    product_id: UUID
    text: str
    author: str
    votes: int
    voted: bool
    mine: bool
    created_at: WireTime
    edited_at: WireTime | None
    answer_count: int
    answers: list[Answer]


class QuestionList(Wire):
    questions: list[Question]
    pagination: Pagination


class AnswerList(Wire):
    question_id: UUID
    answers: list[Answer]
    pagination: Pagination


class Report(Wire):
    post_id: UUID
    product_id: UUID
    text: str
    reason: Reason
    comment: str | None
    created_at: WireTime


class ReportList(Wire):
    reports: list[Report]
    pagination: Pagination
