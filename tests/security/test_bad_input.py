"""Bad input to every operation of the OpenAPI document: 4xx problem documents, never 5xx, and nothing stored.

The operations come from the API's own document, so a new route is covered the day it appears. Those of a
protocol with refusals of its own form are tried in `tests/integration/api/agents`.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.nouns import table_owners
from tests.harness.processes import ROOT
from tests.harness.quick import in_shares, share
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Shop, problem

# What the API says of itself, as the architecture tests compare: to make it anew takes seconds, in every test process.
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
WRONG_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1.5,
    "",
    "x",
    "a\u0000b",
    "x" * 5_000,
    [],
    [[]],
    {},
    {"a": {}},
    [None],
]
WRONG_TEXTS = [
    "",
    "%00",
    "-1",
    "0",
    "x" * 5_000,
    "1" + "0" * 30,
    "NaN",
    "null",
    "'; drop table users; --",
    "\u202e",
    "../../etc",
    "true,false",
]
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"hello",
    "cut short": b'{"a": ',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"x"',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "lone surrogate": b'{"a": "\\ud800", "email": "\\ud800"}',
    "NaN": b'{"price": NaN}',
    "infinite": b'{"price": 1e999}',
    "very deep": b"[" * 100_000,
    "a huge number": b'{"a": ' + b"9" * 10_000 + b"}",
    "a key twice": b'{"a": 1, "a": 2}',
    "an unknown field": b'{"__proto__": {"admin": true}}',
}

HEADERS = ("Authorization", "X-Session-Id", "If-Match", "If-None-Match", "Idempotency-Key", "Traceparent", "Cookie")


@dataclass(frozen=True)
class Operation:
    """One method on one path, with a body that fits its schema."""

    method: str
    path: str
    parameters: list[dict[str, Any]] = field(hash=False)
    body: dict[str, Any] | None = field(hash=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def turn(self) -> int:
        """Its place in the document."""
        return OPERATIONS.index(self)

    def url(self, **values: str) -> str:
        url = self.path
        for parameter in self.parameters:
            if parameter["in"] == "path":
                url = url.replace("{" + parameter["name"] + "}", values.get(parameter["name"], str(uuid4())))
        return url

    def named(self, place: str) -> list[str]:
        return [parameter["name"] for parameter in self.parameters if parameter["in"] == place]


def _operations() -> list[Operation]:
    found = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            body = None if schema is None else _sample(schema)
            found.append(Operation(method.upper(), path, operation.get("parameters", []), body))
    return found


def _sample(schema: dict[str, Any]) -> Any:
    """A value that fits a JSON schema, required members only."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _sample(schema[choice][0])
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        return {
            name: _sample(part)
            for name, part in schema.get("properties", {}).items()
            if name in schema.get("required", [])
        }
    if kind == "array":
        return [_sample(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1) or 1
    if kind == "boolean":
        return True
    return str(uuid4()) if schema.get("format") == "uuid" else "a" * max(8, schema.get("minLength", 8))


# Agents' software reads the errors of its protocol there.
OTHER_FORM = "/checkout_sessions"
OPERATIONS = [operation for operation in _operations() if not operation.path.startswith(OTHER_FORM)]
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]
WITH_PATH = [operation for operation in OPERATIONS if operation.named("path")]
WITH_QUERY = [operation for operation in OPERATIONS if operation.named("query")]


def _named(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=[operation.name for operation in operations])


@pytest.fixture(scope="module")
def roles(shop: Shop) -> dict[str, dict[str, str]]:
    """Headers of everyone who may ask."""
    admin = shop.person()
    shop.sql.execute("update users set user_type = 'admin' where user_id = %s", (admin.user_id,))
    token = shop.client.post("/api/v1/auth/login", json={"email": admin.email, "password": PASSWORD}).json()[
        "accessToken"
    ]
    return {
        "guest": guest_headers(),
        "customer": shop.person().headers,
        "seller": shop.person("seller").headers,
        "admin": {"Authorization": f"Bearer {token}"},
    }


@pytest.fixture
def unchanged(shop: Shop) -> Iterator[None]:
    """Asserts that no row of any noun came or went."""
    tables = sorted(table for table, owner in table_owners().items() if owner != "kernel")
    counted = "select " + ", ".join(f"(select count(*) from {table})" for table in tables)
    before = shop.sql.execute(counted).fetchone()
    yield
    assert shop.sql.execute(counted).fetchone() == before


def _assert_refused(answer: httpx.Response, operation: Operation, *allowed: int) -> None:
    """A problem document with a status that says whose fault it is."""
    assert 400 <= answer.status_code < 500, f"{operation.name}: {answer.status_code} {answer.text[:500]}"
    if allowed:
        assert answer.status_code in allowed, f"{operation.name}: {answer.status_code} {answer.text[:500]}"
    _assert_problem(answer, operation)


def _assert_problem(answer: httpx.Response, operation: Operation) -> None:
    assert answer.headers["content-type"] == "application/problem+json", operation.name
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "traceId"} <= body.keys()
    assert body["status"] == answer.status_code
    assert body["type"].startswith("/problems/")
    for leaked in ("Traceback", "psycopg", "sqlalchemy", "SELECT ", "INSERT ", "pydantic"):
        assert leaked not in answer.text, f"{operation.name} leaks {leaked}"


def _reads_the_index(answer: httpx.Response) -> bool:
    """No index was built here, and what reads it says so."""
    return any(code in answer.text for code in ("/problems/search-not-ready", "/problems/brands-not-counted"))


def _assert_not_broken(answer: httpx.Response, operation: Operation) -> None:
    assert answer.status_code < 500 or _reads_the_index(answer), (
        f"{operation.name}: {answer.status_code} {answer.text[:500]}"
    )
    if answer.status_code >= 400:
        _assert_problem(answer, operation)


def _request(
    shop: Shop,
    operation: Operation,
    who: dict[str, str],
    *,
    extra: dict[str, str] | None = None,
    url: str | None = None,
    **options: Any,
) -> httpx.Response:
    # Without the client's cookies: who asks is decided by the headers.
    shop.client.cookies.clear()
    key = {"Idempotency-Key": uuid4().hex} if "idempotency-key" in operation.named("header") else {}
    return shop.client.request(
        operation.method, url or operation.url(), headers={**key, **who, **(extra or {})}, **options
    )


def test_the_document_lists_what_there_is() -> None:
    """The control of this file: were the list empty, every test below would pass."""
    names = {operation.name for operation in OPERATIONS}
    assert {
        "POST /api/v1/auth/register",
        "GET /api/v1/products",
        "POST /api/v1/cart/items",
        "GET /api/v1/search",
    } <= names
    assert len(WITH_BODY) >= 12
    assert len(WITH_PATH) >= 10
    assert len(WITH_QUERY) >= 4


def test_every_error_in_the_document_is_a_problem_document() -> None:
    answers = [
        (
            f"{method.upper()} {path} {status}",
            set(answer.get("content", {})),
            answer.get("content", {}).get("application/problem+json"),
        )
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for status, answer in operation["responses"].items()
        if int(status) >= 400 and not path.startswith(("/health", OTHER_FORM))
    ]

    expected = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    assert [
        name for name, kinds, content in answers if kinds != {"application/problem+json"} or content != expected
    ] == []
    assert len(answers) > 100
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]


def test_every_operation_has_a_name_a_place_and_a_sentence() -> None:
    operations = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]

    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation.get("summary") for operation in operations)


@_named(WITH_BODY)
@in_shares
@pytest.mark.usefixtures("unchanged")
def test_a_body_that_is_not_the_one_asked_for_is_refused(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation, whole: bool
) -> None:
    for turn, role in enumerate(("guest", "seller"), operation.turn):
        headers = roles[role]
        for name, body in share(list(BODIES.items()), turn, 4, whole=whole):
            answer = _request(shop, operation, headers, content=body, extra={"Content-Type": "application/json"})
            assert 400 <= answer.status_code < 500, (
                f"{operation.name} as {role}, {name}: {answer.status_code} {answer.text[:300]}"
            )
            _assert_problem(answer, operation)


@_named(WITH_BODY)
def test_malformed_json_is_400(shop: Shop, roles: dict[str, dict[str, str]], operation: Operation) -> None:
    statuses = {
        _request(shop, operation, headers, content=b'{"a": ', extra={"Content-Type": "application/json"}).status_code
        for headers in roles.values()
    }
    # Whoever may not ask at all hears that first; someone may ask.
    assert 400 in statuses
    assert statuses <= {400, 401, 403}


@_named(WITH_BODY)
@pytest.mark.usefixtures("unchanged")
def test_an_unknown_field_is_refused(shop: Shop, roles: dict[str, dict[str, str]], operation: Operation) -> None:
    statuses = set()
    for headers in roles.values():
        answer = _request(shop, operation, headers, json={**(operation.body or {}), "surprise": 1})
        _assert_refused(answer, operation, 401, 403, 422)
        statuses.add(answer.status_code)
        if answer.status_code == 422:
            assert "/surprise" in {error["pointer"] for error in answer.json()["errors"]}
    assert 422 in statuses


@_named(WITH_BODY)
@in_shares
def test_no_field_of_any_type_breaks_anything(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation, whole: bool
) -> None:
    assert operation.body is not None
    for turn, name in enumerate(operation.body, operation.turn):
        for value in share(WRONG_VALUES, turn, 3, whole=whole):
            body = copy.deepcopy(operation.body) | {name: value}
            _assert_not_broken(_request(shop, operation, roles["seller"], json=body), operation)
    for name in operation.body:
        missing = {key: value for key, value in operation.body.items() if key != name}
        _assert_refused(_request(shop, operation, roles["seller"], json=missing), operation)


@_named(WITH_BODY)
def test_a_body_over_the_limit_is_413(shop: Shop, roles: dict[str, dict[str, str]], operation: Operation) -> None:
    answer = _request(
        shop, operation, roles["customer"], content=b"x" * 1_048_577, extra={"Content-Type": "application/json"}
    )

    problem(answer, 413, "body-too-large")


@_named(WITH_BODY)
@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
def test_another_content_type_is_refused(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation, content_type: str
) -> None:
    content = json.dumps(operation.body).encode()
    for headers in (roles["guest"], roles["seller"]):
        _assert_refused(
            _request(shop, operation, headers, content=content, extra={"Content-Type": content_type}), operation
        )


@_named(WITH_PATH)
@in_shares
@pytest.mark.usefixtures("unchanged")
def test_foreign_and_malformed_ids_are_not_found(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation, whole: bool
) -> None:
    values = [str(uuid4()), "abc", "0", "-1", "%00", "%2e%2e", "x" * 99, "%F0%9F%92%BB", "null", str(uuid4()) + "0"]
    for turn, (role, headers) in enumerate(roles.items(), operation.turn):
        for value in share(values, turn, 4, whole=whole):
            url = operation.url(**dict.fromkeys(operation.named("path"), value))
            answer = _request(shop, operation, headers, url=url, json=operation.body)
            if role == "admin" and answer.status_code == 200:
                assert answer.json().get("orders") == [], (
                    "an administrator may ask for anyone's orders, and there are none"
                )
                continue
            assert answer.status_code in {401, 403, 404, 422} or _reads_the_index(answer), (
                f"{operation.name} as {role}, {value}: {answer.status_code} {answer.text[:300]}"
            )
            _assert_problem(answer, operation)


@_named(WITH_QUERY)
@in_shares
def test_no_query_breaks_anything(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation, whole: bool
) -> None:
    for turn, name in enumerate(operation.named("query"), operation.turn):
        for text in share(WRONG_TEXTS, turn, 3, whole=whole):
            value = "\0" if text == "%00" else text
            _assert_not_broken(_request(shop, operation, roles["customer"], params={name: value}), operation)
        _assert_not_broken(_request(shop, operation, roles["customer"], params=[(name, "1"), (name, "2")]), operation)
        _assert_not_broken(
            _request(shop, operation, roles["customer"], url=f"{operation.url()}?{name}=%FF%FE"), operation
        )


@_named(OPERATIONS)
@pytest.mark.usefixtures("unchanged")
def test_an_unknown_query_parameter_is_refused(
    shop: Shop, roles: dict[str, dict[str, str]], operation: Operation
) -> None:
    known = sorted(operation.named("query"))
    for headers in roles.values():
        for _ in range(2):  # the second is asked of what the first may have left in memory
            answer = _request(shop, operation, headers, params={"surprise": "1"}, json=operation.body)
            (error,) = problem(answer, 422, "validation-failed")["errors"]
            assert error["pointer"] == "/query/surprise"
            said = error["message"].removeprefix("unknown; this address takes ")
            assert sorted(said.split(", ")) == (known or ["no parameters"])


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/metrics", "/seller/sign-in", "/seller/static/dashboard.css"]
)
def test_pages_and_files_for_browsers_take_any_parameter(shop: Shop, path: str) -> None:
    """Mail programs, advertisers and caches add theirs; a page that is refused for it is a dead link."""
    assert shop.client.get(path, params={"utm_source": "mail"}).status_code == 200


@pytest.mark.parametrize("page", ["0", "-1", "1001", "9" * 30, "1.5", "x", ""])
@pytest.mark.parametrize("name", ["page", "limit"])
def test_pages_out_of_range_are_refused(shop: Shop, roles: dict[str, dict[str, str]], name: str, page: str) -> None:
    for operation in WITH_QUERY:
        if name in operation.named("query"):
            _assert_refused(
                _request(shop, operation, roles["customer"], params={name: page}), operation, 401, 403, 404, 422
            )


@_named(OPERATIONS)
@in_shares
def test_no_header_breaks_anything(shop: Shop, operation: Operation, whole: bool) -> None:
    values = ["", "Bearer a.b.c", "x" * 4_000, '"', "a=b; souk_session=;"]
    # Each password costs 64 MiB and a tenth of a second by design; the header is judged before or without it.
    body = None if "password" in (operation.body or {}) else operation.body
    for turn, header in enumerate(HEADERS, operation.turn):
        for value in share(values, turn, len(values), whole=whole):
            _assert_not_broken(_request(shop, operation, {}, json=body, extra={header: value}), operation)


@_named(OPERATIONS)
def test_a_method_that_is_not_there_is_405(shop: Shop, operation: Operation) -> None:
    answer = shop.client.request("TRACE", operation.url())

    problem(answer, 405, "method-not-allowed")
