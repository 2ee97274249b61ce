"""Products that wait for an administrator: who decides, who is told, and what is sold meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.catalog.approval import jobs
from api.catalog.approval.queries import BORROWED
from tests.harness.api import PLAIN, running_api
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mailing_context, mails_to
from tests.harness.pictures import base64_of, cropped, encoded, png, scene
from tests.harness.shop import Person, Shop, problem

QUEUE = "/api/v1/admin/products/review"
RISKY = "A replica watch"


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


def make(market: Shop, seller: Person, **fields: Any) -> dict[str, Any]:
    body = {
        "title": f"Thing {uuid4().hex[:12]}", "category": str(market.category("/Electronics/Phones")), "price": 10.0,
        "variants": [{"stock": 5}], **fields,
    }  # fmt: skip
    answer = market.client.post("/api/v1/products", json=body, headers=seller.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(market: Shop, seller: Person, product: dict[str, Any], **fields: Any) -> dict[str, Any]:
    path = f"/api/v1/products/{product['productId']}"
    answer = market.client.patch(path, json=fields, headers=seller.headers)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def own(market: Shop, seller: Person, product: dict[str, Any]) -> dict[str, Any]:
    """As it is in the seller's own list."""
    answer = market.client.get("/api/v1/sellers/me/products", params={"limit": 100}, headers=seller.headers)
    return next(one for one in answer.json()["products"] if one["productId"] == product["productId"])


def queued(market: Shop, admin: Person) -> dict[str, dict[str, Any]]:
    """The whole queue, by product, read in pages of two."""
    found: dict[str, dict[str, Any]] = {}
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = market.client.get(QUEUE, params=query, headers=admin.headers)
        assert answer.status_code == 200, answer.text
        for one in answer.json()["products"]:
            assert one["productId"] not in found
            found[one["productId"]] = one
        cursor = answer.json()["pagination"]["nextCursor"]
        if cursor is None:
            return found


def decide(market: Shop, admin: Person, product: dict[str, Any], version: int, *said: str) -> httpx.Response:
    """`said`: approve or reject, and why."""
    body = {"version": version, **dict(zip(("decision", "reason"), said, strict=False))}
    path = f"/api/v1/admin/products/{product['productId']}/decision"
    return market.client.put(path, json=body, headers=admin.headers)


def decisions(market: Shop, person: Person, product: dict[str, Any]) -> list[tuple[Any, ...]]:
    path = f"/api/v1/products/{product['productId']}/decisions"
    answer = market.client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return [
        (
            *(one[name] for name in ("version", "decision", "byAdministrator", "reason")),
            [each["rule"] for each in one["findings"]],
        )
        for one in answer.json()["decisions"]
    ]  # fmt: skip


def test_an_ordinary_product_is_sold_at_once_and_the_judgement_is_kept(market: Market, seller: Person) -> None:
    product = make(market, seller)

    assert (product["status"], product["statusReason"]) == ("active", None)
    assert decisions(market, seller, product) == [(1, "approved", False, None, ["new-seller", "no-picture"])]
    change(market, seller, product, variants=[{"variantId": product["variants"][0]["variantId"], "stock": 7}])
    change(market, seller, product, price=11.0)
    assert len(decisions(market, seller, product)) == 1
    change(market, seller, product, images=[base64_of(png())])
    assert decisions(market, seller, product)[0] == (4, "approved", False, None, ["new-seller"])


def test_what_waits_is_neither_shown_nor_sold_until_it_is_approved(
    market: Market, seller: Person, buyer: Person, admin: Person
) -> None:
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    path = f"/api/v1/products/{product['productId']}"
    why = "An administrator looks at it first. It says: replica watch. The store is new. It has no picture."

    assert (product["status"], product["statusReason"]) == ("pending_review", why)
    assert (own(market, seller, product)["status"], own(market, seller, product)["statusReason"]) == (
        "pending_review", why,
    )  # fmt: skip
    problem(market.client.get(path), 404, "product-not-found")
    problem(market.client.get(f"{path}/image.svg"), 404, "product-not-found")
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 404
    waits = queued(market, admin)[product["productId"]]
    assert (waits["version"], waits["title"], waits["score"], waits["sellerId"]) == (
        1, product["title"], 1030, seller.user_id,
    )  # fmt: skip
    assert [one["rule"] for one in waits["findings"]] == ["restricted-words", "new-seller", "no-picture"]

    answer = decide(market, admin, product, 1, "approve")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["decision"], answer.json()["byAdministrator"]) == ("approved", True)
    assert decide(market, admin, product, 1, "approve").json() == answer.json()
    assert market.detail(product["productId"])["status"] == "active"
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201
    assert product["productId"] not in queued(market, admin)
    events = market.sql.execute(
        "select event_type, payload ->> 'version', payload ->> 'decision' from outbox_events where aggregate_id = %s"
        " order by sequence",
        (product["productId"],),
    ).fetchall()
    assert events == [
        ("ProductCreated", "1", None), ("ProductChanged", "2", None), ("ProductDecided", "1", "approved"),
    ]  # fmt: skip


def test_what_was_approved_is_not_asked_again_and_something_new_is(
    market: Market, seller: Person, admin: Person
) -> None:
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    assert decide(market, admin, product, 1, "approve").status_code == 200

    assert change(market, seller, product, price=12.0)["status"] == "active"
    assert change(market, seller, product, primeEligible=True)["status"] == "active"
    assert change(market, seller, product, description="With a grenade.")["status"] == "pending_review"
    problem(market.client.get(f"/api/v1/products/{product['productId']}"), 404, "product-not-found")
    # An order may show it, so its drawn picture stays.
    assert market.client.get(f"/api/v1/products/{product['productId']}/image.svg").status_code == 200
    assert change(market, seller, product, description="Without.")["status"] == "active"
    assert product["productId"] not in queued(market, admin)


async def test_a_rejected_product_has_a_reason_and_comes_back_to_an_administrator(
    market: Market, admin: Person, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    seller = market.person("seller")
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    refused = problem(decide(market, admin, product, 1, "reject"), 422, "validation-failed")
    assert "needs a reason" in refused["errors"][0]["message"]

    assert decide(market, admin, product, 1, "reject", "Say whose it is.").status_code == 200

    seen = own(market, seller, product)
    assert (seen["status"], seen["statusReason"]) == ("rejected", "Say whose it is.")
    async with mailing_context(database_url, redis_url, tmp_path) as ctx:
        (mail,) = await mails_to(ctx, seller.email)
    assert mail.subject == f"{product['title']} was not approved"
    assert "Say whose it is." in mail.text
    # Saved without a word of its status, or with what was read, it stays rejected.
    assert change(market, seller, product, title=f"A watch {uuid4().hex[:8]}")["status"] == "rejected"
    assert change(market, seller, product, status="rejected")["status"] == "rejected"
    again = change(market, seller, product, status="active")
    assert again["status"] == "pending_review"
    assert "An administrator rejected or removed it before." in again["statusReason"]
    version = queued(market, admin)[product["productId"]]["version"]
    assert decide(market, admin, product, version, "approve", "Now it is clear.").status_code == 200
    assert change(market, seller, product, price=11.0)["status"] == "active"
    assert version == 5
    assert [row[:3] for row in decisions(market, admin, product)] == [
        (7, "approved", False), (5, "approved", True), (5, "queued", False),
        (1, "rejected", True), (1, "queued", False),
    ]  # fmt: skip


def test_a_decision_is_about_the_version_that_was_seen(market: Market, seller: Person, admin: Person) -> None:
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    change(market, seller, product, description="More.")

    problem(decide(market, admin, product, 1, "approve"), 412, "product-changed")
    assert own(market, seller, product)["status"] == "pending_review"
    change(market, seller, product, status="draft")
    assert product["productId"] not in queued(market, admin)
    problem(decide(market, admin, product, 3, "approve"), 409, "nothing-to-decide")
    problem(decide(market, admin, {"productId": str(uuid4())}, 1, "approve"), 404, "product-not-found")


def test_a_restored_version_is_judged_as_a_save_of_it(market: Market, seller: Person, admin: Person) -> None:
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    path = f"/api/v1/products/{product['productId']}"
    plain = f"A watch {uuid4().hex[:8]}"

    def restored(version: int) -> dict[str, Any]:
        answer = market.client.post(f"{path}/versions/{version}/restore", headers=seller.headers)
        assert answer.status_code == 200, answer.text
        return own(market, seller, product)

    def put(version: int) -> httpx.Response:
        """What the version says, as a save."""
        body = market.client.get(f"{path}/versions/{version}", headers=seller.headers).json()["body"]
        return market.client.put(path, json=body, headers=seller.headers)

    # 1 waits, 2 is on sale. Restored or saved, 1 waits again.
    assert change(market, seller, product, title=plain)["status"] == "active"
    for save in (restored, put):
        save(1)
        seen = own(market, seller, product)
        assert (seen["status"], product["productId"] in queued(market, admin)) == ("pending_review", True)
        assert seen["statusReason"].startswith("An administrator looks at it first. It says: replica watch.")
        assert restored(2)["status"] == "active"
        assert product["productId"] not in queued(market, admin)
    # A rejection is no seller's to restore, nor what is sold after one.
    assert restored(1)["status"] == "pending_review"
    version = queued(market, admin)[product["productId"]]["version"]
    assert decide(market, admin, product, version, "reject", "No.").status_code == 200
    assert own(market, seller, product)["status"] == "rejected"
    assert restored(2)["status"] == "pending_review"
    wrong = problem(put(version + 1), 422, "validation-failed")["errors"]
    assert [error["pointer"] for error in wrong] == ["/status"]
    assert restored(version + 1)["status"] == "draft"
    assert product["productId"] not in queued(market, admin)


def test_two_administrators_at_once_decide_once(market: Market, seller: Person, admin: Person) -> None:
    other = market.admin()

    def ask(who: Person, product: dict[str, Any], decision: str) -> int:
        body = {"version": 1, "decision": decision, "reason": "r"}
        path = f"/api/v1/admin/products/{product['productId']}/decision"
        address = str(market.client.base_url)
        with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=PLAIN, headers=who.headers) as client:
            return client.put(path, json=body).status_code

    for decision in ("approve", "reject", "approve"):
        product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
        with ThreadPoolExecutor(2) as pool:
            codes = [*pool.map(ask, (admin, other), (product, product), ("approve", decision))]
        assert sorted(codes) == [200, 409]
        made = [row for row in decisions(market, admin, product) if row[2]]
        assert len(made) == 1
        assert own(market, seller, product)["status"] == ("active" if made[0][1] == "approved" else "rejected")


def test_only_administrators_decide_and_a_seller_sees_what_is_theirs(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = make(market, seller, title=f"{RISKY} {uuid4().hex[:8]}")
    other = market.person("seller")

    for person in (seller, buyer):
        problem(market.client.get(QUEUE, headers=person.headers), 403, "forbidden")
        problem(decide(market, person, product, 1, "approve"), 403, "forbidden")
    path = f"/api/v1/products/{product['productId']}/decisions"
    problem(market.client.get(path, headers=other.headers), 404, "product-not-found")
    problem(market.client.get(path), 401, "not-authenticated")
    wrong = market.client.patch(
        f"/api/v1/products/{make(market, seller)['productId']}", json={"status": "rejected"}, headers=seller.headers
    )
    assert problem(wrong, 422, "validation-failed")["errors"][0]["pointer"] == "/status"
    with pytest.raises(psycopg.errors.RestrictViolation):
        market.sql.execute(
            "update product_decisions set decision = 'approved' where product_id = %s", (product["productId"],)
        )


def test_prices_and_pictures_of_others_are_compared(market: Market, admin: Person) -> None:
    """A new seller whose price is far off and whose picture is another's for another thing waits; each alone does
    not."""
    category = str(market.category(f"/Compared {uuid4().hex[:8]}"))
    others, seller = market.person("seller"), market.person("seller")
    picture = base64_of(png(31, 7))
    for n in range(20):
        make(market, others, category=category, price=100.0, title=f"Ordinary {n} {uuid4().hex[:8]}")
    make(market, others, images=[picture])

    cheap = make(market, seller, category=category, price=10.0)
    borrowed = make(market, seller, images=[picture])
    both = make(market, seller, category=category, variants=[{"price": 9.0, "stock": 1}], price=100.0, images=[picture])
    fair = make(market, seller, category=category, price=10.01, images=[picture])

    assert [one["status"] for one in (cheap, borrowed, both, fair)] == ["active", "active", "pending_review", "active"]
    assert [row[4] for row in decisions(market, seller, both)] == [["unusual-price", "borrowed-picture", "new-seller"]]
    assert queued(market, admin)[both["productId"]]["findings"][0]["words"].endswith("9.00 against 100.00.")


def test_a_copy_of_a_picture_is_found_however_it_was_saved(market: Market) -> None:
    """Smaller, pressed harder or cropped, it is the other seller's picture; another picture is not. Without the bands
    nothing is found."""
    others, seller = market.person("seller"), market.person("seller")
    picture = scene(7)
    make(market, others, images=[base64_of(encoded(picture, "PNG"))])
    copies = [
        encoded(picture.resize((200, 200)), "PNG"),
        encoded(picture, "JPEG", quality=30),
        encoded(cropped(picture, 0.01), "WEBP", quality=60),
    ]
    fresh = ["new-seller"]

    found = [make(market, seller, images=[base64_of(copy)]) for copy in copies]
    other = make(market, seller, images=[base64_of(encoded(scene(8), "PNG"))])
    assert market.sql.execute("update pictures set bands = null").rowcount >= len(copies) + 2
    unseen = make(market, seller, images=[base64_of(encoded(picture, "JPEG", quality=31))])

    for product in found:
        assert [row[4] for row in decisions(market, seller, product)] == [["borrowed-picture", *fresh]]
    assert [row[4] for row in decisions(market, seller, other)] == [fresh]
    assert [row[4] for row in decisions(market, seller, unseen)] == [fresh]


def test_alike_pictures_are_found_by_an_index(market: Market, seller: Person) -> None:
    """Of 20,000 pictures those with a band in common, or one bit away, are read and no others."""
    product = make(market, seller, images=[base64_of(encoded(scene(1), "PNG"))])
    market.sql.execute(
        "insert into pictures (name, digest, media_type, bytes, width, height, blur, perceptual_hash, bands)"
        " select lpad(to_hex(n), 32, '0') || '-00000000', lpad(to_hex(n), 32, '0'), 'image/png', 1, 1, 1, '', n,"
        " array(select (b << 16) | floor(random() * 65536)::int from generate_series(0, 3) b)"
        " from generate_series(1, 20000) n"
    )
    market.sql.execute("analyze pictures")
    asked = BORROWED.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
    values = {**asked.params, "product_id": product["productId"]}

    plan = "\n".join(row[0] for row in market.sql.execute(f"explain {asked}", values).fetchall())

    assert "ix_pictures_bands" in plan
    assert "Seq Scan on pictures" not in plan


def test_one_gtin_is_of_one_brand(market: Market) -> None:
    first, second, third = (market.person("seller") for _ in range(3))
    variant = {"gtin": "4006381333931", "stock": 1}
    make(market, first, brand="Acme", variants=[variant])

    same = make(market, second, brand="ACME", variants=[{**variant, "gtin": "04006381333931"}])
    other = make(market, third, brand="Zenith", variants=[variant])

    assert [row[4] for row in decisions(market, second, same)] == [["new-seller", "no-picture"]]
    assert [row[4] for row in decisions(market, third, other)] == [["contradicted-gtin", "new-seller", "no-picture"]]


@pytest.fixture
def strict(tmp_path: Path, database_url: str, redis_url: str, sandbox: Sandbox) -> Iterator[Shop]:
    """The same shop behind an API where administrators verify sellers."""
    env = {**buying_env(sandbox), "SOUK_SELLER_VERIFICATION": "administrators"}
    with running_api(tmp_path / "strict", database_url, redis_url, **env) as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


async def test_the_products_of_an_unverified_seller_wait_for_the_verification(
    strict: Shop, market: Market, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    admin = market.admin()
    seller = strict.person("seller")
    plain, risky = make(strict, seller), make(strict, seller, title=f"{RISKY} {uuid4().hex[:8]}")

    assert (plain["status"], risky["status"]) == ("pending_review", "pending_review")
    assert plain["statusReason"].startswith("An administrator looks at it first. The seller is not verified yet.")
    assert not {plain["productId"], risky["productId"]} & queued(market, admin).keys()
    problem(decide(market, admin, plain, 1, "approve"), 409, "seller-not-verified")
    path = f"/api/v1/sellers/{seller.user_id}/verification"
    problem(strict.client.put(path, headers=seller.headers), 403, "forbidden")
    for _ in range(2):
        assert market.client.put(path, headers=admin.headers).status_code == 204
    async with mailing_context(database_url, redis_url, tmp_path) as ctx:
        for job in jobs.JOBS:
            assert await job.run(ctx) == 2
            assert await job.run(ctx) == 0

    assert own(strict, seller, plain)["status"] == "active"
    assert own(strict, seller, risky)["status"] == "pending_review"
    assert risky["productId"] in queued(market, admin)
    told = "select count(*) from outbox_events where aggregate_id = %s and event_type = 'SellerVerified'"
    assert strict.scalar(told, (seller.user_id,)) == 1
    assert make(strict, seller)["status"] == "active"
    assert_invariants(database_url)
