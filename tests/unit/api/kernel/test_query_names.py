"""Query parameters that an operation does not take are refused by name, in every form that the server would read."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from pydantic import Field

from api.app import include
from api.kernel import problems
from api.kernel.direct import DirectRoute
from api.kernel.pagination import Page
from api.kernel.schemas import Params


class Asked(Params):
    brand: Annotated[list[str] | None, Field()] = None
    min_price: int | None = None


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(route_class=DirectRoute)

    @router.get("/plain")
    async def plain(page: Page, days: int = 1) -> int:
        return page.limit * days

    @router.get("/direct")
    async def direct(asked: Annotated[Asked, Query()]) -> Response:
        return Response(f"{asked.brand} {asked.min_price}")

    @router.post("/nothing")
    async def nothing() -> str:
        return "done"

    @router.get("/page", include_in_schema=False)
    async def page(days: int = 1) -> int:
        return days

    app = FastAPI()
    problems.install(app)
    include(app, [(router, "")])
    return app


async def asked(app: FastAPI, target: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, target)


@pytest.mark.parametrize(
    "target",
    [
        "/plain?limit=2&days=3",
        "/plain",
        "/plain?",
        "/plain?&&",
        "/direct?brand=a&brand=b&minPrice=1",
        "/direct?br%61nd=x",
    ],
)
async def test_what_an_operation_takes_is_accepted(app: FastAPI, target: str) -> None:
    assert (await asked(app, target)).status_code == 200


@pytest.mark.parametrize(
    ("target", "pointers", "takes"),
    [
        ("/plain?limt=2", ["/query/limt"], "days, page, limit, cursor"),
        ("/plain?limit=2&Limit=3", ["/query/Limit"], "days, page, limit, cursor"),
        ("/plain?a&b=1&a=2", ["/query/a", "/query/b"], "days, page, limit, cursor"),
        ("/plain?=1", ["/query/"], "days, page, limit, cursor"),
        ("/plain?a%2Fb~=1", ["/query/a~1b~0"], "days, page, limit, cursor"),
        ("/direct?min_price=1", ["/query/min_price"], "brand, minPrice"),
        ("/direct?brand[]=x", ["/query/brand[]"], "brand, minPrice"),
    ],
)
async def test_another_one_is_named_with_those_that_are_known(
    app: FastAPI, target: str, pointers: list[str], takes: str
) -> None:
    answer = await asked(app, target)

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/validation-failed"
    message = f"unknown; this address takes {takes}"
    assert answer.json()["errors"] == [{"pointer": pointer, "message": message} for pointer in pointers]


async def test_an_operation_without_parameters_says_so(app: FastAPI) -> None:
    answer = await asked(app, "/nothing?dryRun=true", "POST")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/query/dryRun", "message": "unknown; this address takes no parameters"}
    ]


async def test_a_thousand_names_are_answered_with_twenty(app: FastAPI) -> None:
    answer = await asked(app, "/plain?" + "&".join(f"{'x' * 150}{i}" for i in range(300)))

    assert len(answer.json()["errors"]) == 20
    assert {len(error["pointer"]) for error in answer.json()["errors"]} == {len("/query/") + 100}


async def test_a_page_for_browsers_takes_what_mail_programs_add_to_its_link(app: FastAPI) -> None:
    answer = await asked(app, "/page?days=2&utm_source=mail")

    assert (answer.status_code, answer.json()) == (200, 2)
