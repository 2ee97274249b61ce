"""The pages that the `type` of a problem document refers to, one per kind of problem, and
the list of all for the OpenAPI document."""

import inspect
from typing import Annotated

from fastapi import APIRouter, Path

from api.kernel.errors import NotFound, Problem, problem_types
from api.kernel.problems import responses
from api.kernel.schemas import Wire

router = APIRouter(prefix="/problems", tags=["problems"])


class ProblemType(Wire):
    """`explanation` is empty where the title is sufficient."""

    type: str
    title: str
    status: int
    explanation: str


@router.get(
    "/{code}",
    operation_id="explainProblem",
    summary="What a problem document's `type` means",
    responses=responses(NotFound),
)
async def explain_problem(code: Annotated[str, Path(max_length=100, examples=["out-of-stock"])]) -> ProblemType:
    """`type` is a reference to this address, relative to the API's own."""
    kind = next((kind for kind in problem_types() if kind.code == code), None)
    if kind is None:
        raise NotFound("There is no problem of this type.")
    return ProblemType(type=kind.type_uri(), title=kind.title, status=kind.status, explanation=_explanation(kind))


def table() -> str:
    """Every kind of problem as a Markdown table, by status; the nouns must be imported before."""
    kinds = sorted({(kind.status, kind.code, kind.title) for kind in problem_types()})
    return "\n".join(
        [
            "| status | type | meaning |",
            "|---|---|---|",
            *(f"| {status} | `{code}` | {title} |" for status, code, title in kinds),
        ]
    )


def _explanation(kind: type[Problem]) -> str:
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "") if kind is not Problem else ""
