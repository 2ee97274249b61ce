"""A small shop for tests: people over HTTP, stock written directly to the tables as the warehouse books it."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid4

import httpx
import psycopg

PASSWORD = "a long enough passphrase"


@dataclass(frozen=True)
class Person:
    """A registered account and the headers of its requests."""

    user_id: str
    email: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


class Units(NamedTuple):
    """Units of a variant over all warehouses: available for sale, and held by open checkouts."""

    available: int
    reserved: int


class Address(Protocol):
    """A running API that accepts requests."""

    def client(self, **headers: str) -> httpx.Client: ...


class Shop:
    """Uses one API and its database."""

    def __init__(self, server: Address, database_url: str) -> None:
        self.client = server.client()
        self.sql = psycopg.connect(database_url, autocommit=True)
        self._counter = itertools.count(1)

    def close(self) -> None:
        self.client.close()
        self.sql.close()

    def person(self, user_type: str = "customer", **headers: str) -> Person:
        """Register a new account."""
        email = f"{user_type}{next(self._counter)}-{uuid4().hex[:8]}@example.com"
        body = {"email": email, "password": PASSWORD, "name": f"Some {user_type.title()}", "userType": user_type}
        answer = self.client.post("/api/v1/auth/register", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()  # who asks is decided by the headers of a request alone
        data = answer.json()
        return Person(data["user"]["userId"], email, data["accessToken"], data["refreshToken"])

    def admin(self) -> Person:
        """A new administrator: nobody registers as one."""
        person = self.person()
        self.sql.execute("update users set user_type = 'admin' where user_id = %s", (person.user_id,))
        answer = self.client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Person(person.user_id, person.email, answer.json()["accessToken"], answer.json()["refreshToken"])

    def category(self, path: str) -> UUID:
        """The category of a path such as `/Electronics/Phones`, created with its parents when missing."""
        parent: UUID | None = None
        parts = path.strip("/").split("/")
        for level in range(len(parts)):
            here = "/" + "/".join(parts[: level + 1])
            self.sql.execute(
                "insert into categories (category_id, name, parent_category_id, path, level) values (%s, %s, %s, %s,"
                " %s) on conflict (path) where removed_at is null do nothing",
                (uuid4(), parts[level], parent, here, level),
            )
            row = self.sql.execute(
                "select category_id from categories where path = %s and removed_at is null", (here,)
            ).fetchone()
            assert row is not None
            parent = row[0]
        assert parent is not None
        return parent

    def product(
        self, seller: Person, *, stock: int = 10, category: str = "/Electronics/Phones", **fields: Any
    ) -> dict[str, Any]:
        """Create a product over HTTP with `stock` units of each variant in one warehouse; returns its detail body."""
        body = {
            "title": f"Thing {uuid4().hex[:12]}",
            "category": str(self.category(category)),
            "price": 10.0,
            **fields,
        }
        answer = self.client.post("/api/v1/products", json=body, headers=seller.headers)
        assert answer.status_code == 201, answer.text
        for variant in answer.json()["variants"]:
            self.stock(variant["variantId"], stock)
        return self.detail(answer.json()["productId"])

    def detail(self, product_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/products/{product_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def titles(self, **query: Any) -> list[str]:
        """Titles of the product list for a query, in its order."""
        answer = self.client.get("/api/v1/products", params=query)
        assert answer.status_code == 200, answer.text
        return [product["title"] for product in answer.json()["products"]]

    def stock(self, variant_id: str, units: int) -> None:
        """Set the units of a variant that can be sold, in one warehouse."""
        warehouse = self._warehouse()
        with self.sql.transaction():
            before = self.sql.execute(
                "select stock_quantity from product_variants where variant_id = %s for update", (variant_id,)
            ).fetchone()
            assert before is not None
            self.sql.execute(
                "insert into warehouse_stock (variant_id, warehouse_id, available) values (%(v)s, %(w)s, %(n)s) "
                "on conflict (variant_id, warehouse_id) do update set available = %(n)s",
                {"v": variant_id, "w": warehouse, "n": units},
            )
            self.sql.execute(
                "update product_variants set stock_quantity = %s, updated_at = now() where variant_id = %s",
                (units, variant_id),
            )
            if units != before[0]:
                self.sql.execute(
                    "insert into inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change,"
                    " transaction_type, previous_quantity, new_quantity) values (%s, %s, %s, %s, 'adjustment', %s, %s)",
                    (uuid4(), variant_id, warehouse, units - before[0], before[0], units),
                )

    def stock_of(self, product: Mapping[str, Any]) -> "Units":
        """Units of a product's first variant, less what is owed; the counter, the warehouses and the journal must
        agree."""
        row = self.sql.execute(
            "select v.stock_quantity - v.owed, sum(s.available - s.owed), sum(s.reserved), "
            "(select sum(quantity_change) from inventory_transactions t where t.variant_id = v.variant_id) "
            "from product_variants v join warehouse_stock s using (variant_id) where variant_id = %s group by 1, 4",
            (product["variants"][0]["variantId"],),
        ).fetchone()
        assert row is not None
        counted, available, reserved, journal = row
        assert counted == available == journal, row
        return Units(int(available), int(reserved))

    def scalar(self, query: str, parameters: Mapping[str, Any] | tuple[Any, ...] = ()) -> Any:
        row = self.sql.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def warehouse(self, code: str, country: str = "GB", latitude: float = 53.8, longitude: float = -1.5) -> str:
        """The id of a warehouse, which is made when there is none of the code."""
        self.sql.execute(
            "insert into warehouses (warehouse_id, code, name, city, country, latitude, longitude)"
            " values (%s, %s, %s, 'Leeds', %s, %s, %s) on conflict (code) do nothing",
            (uuid4(), code, f"Warehouse {code}", country, latitude, longitude),
        )
        return str(self.scalar("select warehouse_id from warehouses where code = %s", (code,)))

    def _warehouse(self) -> UUID:
        self.sql.execute(
            "insert into warehouses (warehouse_id, code, name, city, country, latitude, longitude) "
            "values (%s, 'T1', 'Test', 'Chicago', 'US', 41.9, -87.6) on conflict (code) do nothing",
            (uuid4(),),
        )
        warehouse: UUID = self.scalar("select warehouse_id from warehouses where code = 'T1'")
        return warehouse


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that `answer` is this problem document; returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{code}"
    assert body["status"] == status
    assert body["traceId"] == answer.headers["x-trace-id"]
    return body
