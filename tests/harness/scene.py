"""One complete, valid request for every operation that writes."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.harness.buying import ADDRESS, Market
from tests.harness.coupons import promote
from tests.harness.editing import Editing
from tests.harness.pictures import base64_of, png
from tests.harness.reports import Reports
from tests.harness.reviews import REQUEST, refused, reviewed
from tests.harness.sessions import guest_headers, mailed_token
from tests.harness.shop import Person

# The name of the mail that asked for a review.


@dataclass(frozen=True)
class Request:
    """A request that would be accepted."""

    method: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reported:
    """A product with an open report and the token of its receipt, and two decisions that took one off sale: one whose
    seller may object to it, and one whose seller has."""

    product: str
    seen: str
    token: str
    removed: str
    contested: str


@dataclass
class Scene:
    """One order in each state that a request needs, with the people and products involved."""

    market: Market
    seller: Person
    buyer: Person
    product: dict[str, Any]
    image: str
    # What saves may leave without its variants.
    saved: str
    item: str
    order: str
    delivered: str
    line: str
    returned: tuple[str, str]
    parcel: str
    unsent: str
    elsewhere: str
    replenishment: str
    splittable: str
    edited: dict[str, Any]
    promotion: str
    code: str
    admin: Person
    parent: str
    category: str
    merged: str
    question: str
    # Of the buyer, about the product.
    review: str
    # A rejected one of the buyer, about another product.
    refused: str
    # A product that waits for an administrator.
    queued: str
    reports: Reported
    # Two products that seem to be one article.
    match: tuple[str, str]
    # The path of a variant of a digital product, below `/products/`.
    digital: str
    synonym: str

    def requests(self) -> dict[str, Request]:
        variant, product = self.product["variants"][0]["variantId"], self.product["productId"]
        warehouse = str(
            self.market.scalar(
                "select warehouse_id from warehouse_stock where variant_id = %s order by available desc limit 1",
                (variant,),
            )
        )
        listing = {
            "title": "Thing", "description": "d", "category": "/Electronics/Phones", "brand": "b", "price": 10.5,
            "listPrice": 20,
            "variants": [{"sku": f"SKU-{uuid4().hex}", "gtin": None,
                          "attributes": {"color": "red"}, "price": 11, "stock": 3, "components": None}],
            "images": [base64_of(png())], "specifications": {"ports": 3, "sizes": ["s"]},
            "primeEligible": True,
            "taxClass": "standard", "weightGrams": 350, "condition": "new", "kind": "physical",
            "restrictions": {"minAge": 18, "allowedCountries": ["US"], "deniedCountries": []},
            "language": "en",
            "translations": {"de": {"title": "Ding"}},
            "status": "active",
        }  # fmt: skip
        line = {"productId": product, "variantId": variant, "quantity": 1}
        event = {
            "type": "view", "eventId": str(uuid4()), "productId": product, "query": "q",
            "occurredAt": "2026-01-02T03:04:05Z",
            "sessionId": "session-of-tests", "source": "s", "campaign": "c", "position": 1, "quantity": 1,
            "orderId": str(uuid4()),
        }  # fmt: skip
        account = {
            "email": "x@example.com",
            "password": "short",
            "name": "N",
            "phone": "+44 20 7946 0000",
            "userType": "customer",
        }
        address = {**ADDRESS, "addressType": "home", "isDefault": False}
        guest = guest_headers("of tests")
        order = self.market.order_body((self.product, 2), email="g@example.com", expectedTotal=1.0)
        order["shippingAddress"] = {**ADDRESS, "name": "N"}
        order["shippingPreference"] = "together"
        order["destinations"] = [
            {"shippingAddress": {**ADDRESS, "name": "N"}, "lines": [{"variantId": variant, "quantity": 1}]}
        ]
        order["couponCodes"], order["birthDate"] = [self.code], "1990-12-31"
        preview = {name: value for name, value in order.items() if name != "paymentMethod"}
        sells, buys, rules = self.seller.headers, self.buyer.headers, self.admin.headers
        api, only = "/api/v1", "/reviews/buyers-only"
        synonyms = f"{api}/admin/search/synonyms"
        return {
            # A password that is refused, because hundreds of password hashes would be slow.
            "register": Request("POST", f"{api}/auth/register", account, {}),
            "login": Request("POST", f"{api}/auth/login", {"email": "nobody@example.com", "password": "x"}, {}),
            "refresh": Request("POST", f"{api}/auth/refresh", {"refreshToken": "x"}, {}),
            "logout": Request("POST", f"{api}/auth/logout", {"refreshToken": "x"}, {}),
            "changeProfile": Request("PATCH", f"{api}/users/me", {"name": "N", "phone": "12345"}, buys),
            "addAddress": Request("POST", f"{api}/users/me/addresses", address, buys),
            "createProduct": Request("POST", f"{api}/products", listing, sells),
            "replaceProduct": Request("PUT", f"{api}/products/{self.saved}", listing, sells),
            "changeProduct": Request("PATCH", f"{api}/products/{self.saved}", listing, sells),
            "setSchedule": Request(
                "PUT", f"{api}/products/{self.saved}/schedule",
                {"publishAt": "2090-01-02T03:04:05Z", "unpublishAt": "2090-02-02T03:04:05Z",
                 "price": {"price": 9, "from": "2090-01-03T03:04:05Z", "to": "2090-01-04T03:04:05Z"}}, sells,
            ),
            "createCategory": Request(
                "POST", f"{api}/categories",
                {"name": f"N {uuid4().hex}", "parentCategoryId": self.category, "names": {"de": "N"}}, rules,
            ),
            "changeCategory": Request(
                "PATCH", f"{api}/categories/{self.category}",
                {"name": f"N {uuid4().hex}", "parentCategoryId": self.parent, "names": {"de": "N"}}, rules,
            ),
            "mergeCategory": Request("POST", f"{api}/categories/{self.merged}/merge", {"into": self.category}, rules),
            "describeStore": Request(
                "PUT", f"{api}/sellers/me",
                {"name": "N", "about": "a", "policies": {"shipping": "s", "returns": "r"}, "trader": True,
                 "contact": {
                     "legalName": "N", "address": ADDRESS, "email": "n@example.com", "phone": "+44 20 7946 0000",
                     "registrationNumber": "HRB 1", "vatNumber": "GB123456789"},
                 "safetyContact": {"name": "N", "email": "n@example.com", "phone": "+44 20 7946 0000"}}, sells,
            ),
            "setProductSafety": Request(
                "PUT", f"{api}/products/{product}/safety",
                {"manufacturer": {"name": "N", "address": "A", "email": "n@example.com"},
                 "responsiblePerson": {"name": "N", "address": "A", "email": "n@example.com"}, "warnings": ["w"]},
                sells,
            ),
            "decideProduct": Request(
                "PUT", f"{api}/admin/products/{self.queued}/decision",
                {"version": 1, "decision": "approve", "reason": "r"}, rules,
            ),
            "reportProduct": Request(
                "PUT", f"{api}/products/{product}/report",
                {"reason": "unsafe", "comment": "c", "law": "l", "email": "g@example.com"}, guest,
            ),
            "lookUpReport": Request("POST", f"{api}/product-reports/lookup", {"token": self.reports.token}, {}),
            "decideReports": Request(
                "PUT", f"{api}/admin/products/{self.reports.product}/reports/decision",
                {"seen": self.reports.seen, "decision": "remove", "statement": "s"}, rules,
            ),
            "contestDecision": Request(
                "PUT", f"{api}/sellers/me/report-decisions/{self.reports.removed}/objection", {"comment": "c"}, sells
            ),
            "decideObjection": Request(
                "PUT", f"{api}/admin/objections/{self.reports.contested}/decision",
                {"version": 2, "decision": "keep", "statement": "s"}, rules,
            ),
            "decideOfferMatch": Request(
                "PUT", f"{api}/admin/offer-matches/{'/'.join(self.match)}/decision",
                {"decision": "confirmed", "reason": "r"}, rules,
            ),
            "addSynonym": Request("POST", synonyms, {"word": "couch", "synonym": "sofa", "language": "en"}, rules),
            "decideSynonym": Request("PUT", f"{synonyms}/{self.synonym}/decision", {"decision": "refused"}, rules),
            "addLicenceKeys": Request(
                "POST", f"{api}/products/{self.digital}/keys", {"keys": ["AAAA-BBBB"]}, sells
            ),
            "withdrawLicenceKeys": Request(
                "POST", f"{api}/products/{self.digital}/keys/withdrawals", {"keys": ["CCCC-DDDD"], "reason": "r"}, sells
            ),
            "askQuestion": Request("POST", f"{api}/products/{product}/questions", {"text": "Why?"}, buys),
            "answerQuestion": Request("POST", f"{api}/questions/{self.question}/answers", {"text": "So."}, sells),
            "editPost": Request("PATCH", f"{api}/questions/posts/{self.question}", {"text": "Why not?"}, buys),
            "reportPost": Request(
                "PUT", f"{api}/questions/posts/{self.question}/report", {"reason": "spam", "comment": "c"}, sells
            ),
            "createReview": Request(
                "POST", f"{api}/products/{product}/reviews",
                {"rating": 5, "title": "T", "comment": "C", "images": [base64_of(png())], "language": "en"}, rules,
            ),
            "changeReview": Request(
                "PATCH", f"{api}/reviews/{self.review}",
                {"rating": 4, "title": "T", "comment": "C", "images": [base64_of(png())]}, buys,
            ),
            "answerReview": Request("POST", f"{api}/reviews/{self.review}/answer", {"text": "So."}, sells),
            "reportReview": Request(
                "POST", f"{api}/reviews/{self.review}/report", {"reason": "spam", "comment": "c"}, sells
            ),
            "appealForReview": Request("PUT", f"{api}/reviews/{self.refused}/appeal", {"comment": "c"}, buys),
            "decideReview": Request(
                "PUT", f"{api}/admin/reviews/{self.review}/decision",
                {"version": 1, "decision": "publish", "statement": "s"}, rules,
            ),
            "reopenReview": Request("PUT", f"{api}/admin/reviews/{self.review}/reopening", {"statement": "s"}, rules),
            "setBuyersOnly": Request("PUT", f"{api}/products/{product}{only}", {"buyersOnly": False}, sells),
            "setBuyersOnlyForStore": Request("PUT", f"{api}/sellers/me{only}", {"buyersOnly": False}, sells),
            "unsubscribeReviewRequests": Request(
                "POST", f"{api}/reviews/requests/unsubscribe", {"token": mailed_token(REQUEST)}, {}
            ),
            "setRecentlyViewed": Request("PUT", f"{api}/users/me/recently-viewed/settings", {"enabled": True}, buys),
            "setAttributes": Request(
                "PUT", f"{api}/categories/{self.category}/attributes",
                {"attributes": [
                    {"name": "colour", "label": "Colour", "type": "enum", "allowedValues": ["red"],
                     "required": False, "variantAxis": True, "facet": True},
                    {"name": "storage", "label": "Storage", "labels": {"de": "Speicher"}, "type": "number",
                     "unit": "GB"},
                ]},
                rules,
            ),
            "addCartItem": Request("POST", f"{api}/cart/items", line, buys),
            "addCartCoupon": Request("POST", f"{api}/cart/coupons", {"code": self.code}, buys),
            "createPromotion": Request("POST", f"{api}/sellers/me/promotions", self._promotion(), sells),
            "changePromotion": Request(
                "PATCH", f"{api}/sellers/me/promotions/{self.promotion}",
                {"name": "N", "totalLimit": 50_000, "endsAt": "2090-01-02T03:04:05Z",
                 "addCodes": [{"code": f"C-{uuid4().hex}", "email": "x@example.com"}]}, sells,
            ),
            "changeImage": Request(
                "PATCH", f"{api}/products/{product}/images/{self.image}",
                {"alt": "a", "variantId": variant, "position": 0}, sells,
            ),
            "setCartItem": Request("PUT", f"{api}/cart/items/{self.item}", {"quantity": 1}, buys),
            "recordEvents": Request("POST", f"{api}/events", {"events": [event]}, buys),
            "placeOrder": Request("POST", f"{api}/orders", order, guest),
            "previewOrder": Request("POST", f"{api}/orders/preview", preview, guest),
            "cancelOrder": Request("POST", f"{api}/orders/{self.order}/cancel", {"reason": "r"}, guest),
            "returnOrder": Request(
                "POST", f"{api}/orders/{self.delivered}/return",
                {"items": [{"orderItemId": self.line, "quantity": 1}], "reasonCode": "damaged", "reason": "r"}, buys,
            ),
            "cancelOrderItem": Request(
                "POST", f"{api}/orders/{self.order}/items/{self.unsent}/cancel", {"quantity": 1, "reason": "r"}, buys
            ),
            "stageOrderEdit": Request(
                "POST", f"{api}/orders/{self.edited['orderId']}/edits",
                {
                    "lines": [{"orderItemId": self.edited["lineId"], "quantity": 5}],
                    "add": [{"variantId": variant, "quantity": 1}], "shippingAddress": {**ADDRESS, "name": "N"},
                    "birthDate": "1990-12-31",
                },
                buys,
            ),
            "commitOrderEdit": Request(
                "POST", f"{api}/orders/{self.edited['orderId']}/edits/{self.edited['editId']}/commit",
                {
                    "expectedTotal": self.edited["newTotal"],
                    "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
                },
                buys,
            ),
            "advanceOrder": Request("POST", f"{api}/orders/{self.order}/advance", {"status": "shipped"}, sells),
            "decideReturn": Request(
                "POST", f"{api}/orders/{self.order}/return/decision", {"approve": True, "reason": "r"}, sells
            ),
            "approveReturn": Request(
                "POST", f"{api}/orders/{self.delivered}/returns/{self.returned[0]}/approve",
                {"fee": 0.01, "restock": True, "comment": "c"}, sells,
            ),
            "rejectReturn": Request(
                "POST", f"{api}/orders/{self.delivered}/returns/{self.returned[1]}/reject", {"reason": "r"}, sells
            ),
            "exchangeOrderItem": Request(
                "POST", f"{api}/orders/{self.delivered}/exchanges",
                {"orderItemId": self.line, "quantity": 1, "variantId": variant, "reasonCode": "wrong_size",
                 "reason": "r", "paymentMethod": order["paymentMethod"], "shippingAddress": ADDRESS,
                 "birthDate": "1990-12-31", "expectedTotal": 1.0},
                buys,
            ),
            "refundOrder": Request(
                "POST", f"{api}/orders/{self.delivered}/refunds",
                {"reasonCode": "goodwill", "reason": "r",
                 "items": [{"orderItemId": self.line, "amount": 0.01, "shippingAmount": 0}]}, sells
            ),
            "shipParcel": Request(
                "POST", f"{api}/sellers/me/parcels/{self.parcel}/ship", {"carrier": "c", "trackingNumber": "t"}, sells
            ),
            "splitParcel": Request(
                "POST", f"{api}/sellers/me/parcels/{self.splittable}/split",
                {"lines": [{"orderItemId": self.unsent, "quantity": 1}]}, sells,
            ),
            "cancelParcel": Request(
                "POST", f"{api}/sellers/me/parcels/{self.splittable}/cancel",
                {"reasonCode": "other", "reason": "r", "lines": [{"orderItemId": self.unsent, "quantity": 1}]}, sells,
            ),
            "askParcelRates": Request(
                "POST", f"{api}/sellers/me/parcels/{self.parcel}/rates", {"weightGrams": 9}, sells
            ),
            "buyParcelLabel": Request(
                "POST", f"{api}/sellers/me/parcels/{self.parcel}/label",
                {"carrier": "sandbox", "service": "sandbox-standard", "price": 6.5, "weightGrams": 9}, sells
            ),
            "requestOrderClaim": Request("POST", f"{api}/orders/claim-requests", {"email": "g@example.com"}, buys),
            "lookUpOrder": Request(
                "POST", f"{api}/orders/lookup",
                {"orderNumber": "112-1234567-1234567", "email": "g@example.com", "token": mailed_token("scene")}, {},
            ),
            "lookUpDigitalGoods": Request(
                "POST", f"{api}/orders/lookup/digital-goods",
                {"orderNumber": "112-1234567-1234567", "email": "g@example.com", "token": mailed_token("scene")}, {},
            ),
            "requestOrderLookUp": Request(
                "POST", f"{api}/orders/lookup-requests",
                {"orderNumber": "112-1234567-1234567", "email": "g@example.com"}, {},
            ),
            "claimOrders": Request("POST", f"{api}/orders/claim", {"token": mailed_token("scene")}, buys),
            "adjustStock": Request(
                "POST", f"{api}/inventory/adjustments",
                {"variantId": variant, "warehouseId": warehouse, "change": 1}, sells
            ),
            "setLowStock": Request("PATCH", f"{api}/inventory/variants/{variant}", {"lowStockAt": 5}, sells),
            "allowBackorders": Request(
                "PUT",
                f"{api}/inventory/variants/{variant}/warehouses/{warehouse}/backorders",
                {"limit": 5, "days": 9},
                sells,
            ),
            "countStock": Request(
                "PUT", f"{api}/inventory/variants/{variant}/warehouses/{warehouse}", {"available": 40_000}, sells
            ),
            "transferStock": Request(
                "POST", f"{api}/inventory/transfers",
                {"variantId": variant, "fromWarehouseId": warehouse, "toWarehouseId": self.elsewhere, "quantity": 1},
                sells,
            ),
            "replenishStock": Request(
                "POST", f"{api}/inventory/replenishments",
                {"variantId": variant, "warehouseId": warehouse, "quantity": 7, "expectedOn": "2999-01-02"}, sells
            ),
            "receiveStock": Request(
                "POST", f"{api}/inventory/replenishments/{self.replenishment}/receipts", {"quantity": 1}, sells
            ),
        }  # fmt: skip

    def _promotion(self) -> dict[str, Any]:
        return {
            "name": "N", "kind": "percent", "value": 1, "currency": "USD", "minimum": 1, "maxDiscount": 5,
            "productId": self.product["productId"], "category": "/Electronics/Phones", "exclusiveGroup": "g",
            "priority": 1, "combines": True, "totalLimit": 50_000, "perBuyerLimit": 50_000,
            "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2090-01-02T03:04:05Z",
            "codes": [{"code": f"C-{uuid4().hex}", "email": "x@example.com"}],
        }  # fmt: skip


def _digital(market: Market, seller: Person, category: str) -> str:
    """The path of a variant of a new digital product, below `/products/`."""
    body = {"title": f"Game {uuid4()}", "category": category, "price": 9, "kind": "digital"}
    answer = market.client.post("/api/v1/products", json=body, headers=seller.headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    path = f"{made['productId']}/variants/{made['variants'][0]['variantId']}"
    added = market.client.post(f"/api/v1/products/{path}/keys", json={"keys": ["CCCC-DDDD"]}, headers=seller.headers)
    assert added.status_code == 200, added.text
    return path


def make_scene(market: Market, seller: Person, buyer: Person) -> Scene:
    """A product, a confirmed order, a delivered one, one whose parcel is about to be sent, one with a staged edit, and
    a cart with one line."""
    product = market.product(seller, stock=50_000, price=10.0, images=[base64_of(png())])
    orders = []
    for _ in range(4):
        answer = market.buy(buyer, market.order_body((product, 6)))
        assert answer.status_code == 201, answer.text
        orders.append(answer.json()["orderId"])
    for status in ("processing", "shipped", "delivered"):
        headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
        assert (
            market.client.post(
                f"/api/v1/orders/{orders[1]}/advance", json={"status": status}, headers=headers
            ).status_code
            == 200
        )
    line = market.client.get(f"/api/v1/orders/{orders[1]}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    parcel = market.client.get(f"/api/v1/orders/{orders[2]}", headers=buyer.headers).json()["parcels"][0]["parcelId"]
    headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
    assert market.client.post(f"/api/v1/sellers/me/parcels/{parcel}/process", headers=headers).status_code == 200
    units = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}
    asked = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "better_price"}
    # The first is for the route that decides the oldest request.
    for _ in range(3):
        headers = {**buyer.headers, "Idempotency-Key": next(market.keys)}
        answer = market.client.post(f"/api/v1/orders/{orders[1]}/return", json=asked, headers=headers)
        assert answer.status_code == 200, answer.text
    seen = market.client.get(f"/api/v1/orders/{orders[1]}", headers=buyer.headers).json()
    first = market.client.get(f"/api/v1/orders/{orders[0]}", headers=buyer.headers).json()
    unsent, splittable = first["items"][0]["orderItemId"], first["parcels"][0]["parcelId"]
    _, second, third = (row["returnId"] for row in seen["returns"])
    item = market.client.post("/api/v1/cart/items", json=units, headers=buyer.headers).json()["items"][0]["cartItemId"]
    elsewhere = market.warehouse("SCENE")
    on_its_way = market.client.post(
        "/api/v1/inventory/replenishments",
        json={"variantId": units["variantId"], "warehouseId": elsewhere, "quantity": 1_000_000},
        headers={**seller.headers, "Idempotency-Key": next(market.keys)},
    ).json()["replenishmentId"]
    editing = Editing(market, buyer)
    staged = editing.staged(orders[3], add=[editing.line(product, 1)])
    edited = {**staged, "lineId": editing.order(orders[3])["items"][0]["orderItemId"]}
    code = f"SCENE-{uuid4().hex}"
    promotion = promote(market, seller, code)["promotionId"]
    path = f"/api/v1/products/{product['productId']}/questions"
    question = market.client.post(path, json={"text": "Why?"}, headers=buyer.headers)
    parent, changed, merged = (str(market.category(f"/Scene{name}")) for name in ("", "/Changed", "/Merged"))
    admin = market.admin()
    return Scene(
        market,
        seller,
        buyer,
        product,
        product["media"][0]["imageId"],
        market.product(seller)["productId"],
        item,
        orders[0],
        orders[1],
        line,
        (second, third),
        parcel,
        unsent,
        elsewhere,
        on_its_way,
        splittable,
        edited,
        promotion,
        code,
        admin,
        parent,
        changed,
        merged,
        question.json()["questionId"],
        reviewed(market, buyer, str(product["productId"]), line),
        refused(market, seller, buyer, admin),
        _queued(market, seller),
        _reported(market, seller, buyer, admin),
        _match(market, seller),
        _digital(market, seller, parent),
        _synonym(market, admin),
    )


def _synonym(market: Market, admin: Person) -> str:
    pair = {"word": f"divan {uuid4().hex[:8]}", "synonym": "daybed"}
    added = market.client.post("/api/v1/admin/search/synonyms", json=pair, headers=admin.headers)
    return str(added.json()["synonymId"])


def _match(market: Market, seller: Person) -> tuple[str, str]:
    title = f"A kettle {uuid4().hex}"
    first, second = (market.product(one, title=title)["productId"] for one in (seller, market.person("seller")))
    return second, first


def _queued(market: Market, seller: Person) -> str:
    body = {"title": f"A replica watch {uuid4().hex}", "category": "/Electronics/Phones", "price": 10.0}
    answer = market.client.post("/api/v1/products", json=body, headers=seller.headers)
    assert answer.json()["status"] == "pending_review", answer.text
    return str(answer.json()["productId"])


def _reported(market: Market, seller: Person, buyer: Person, admin: Person) -> Reported:
    reports = Reports(market, admin)
    product, removed, contested = (market.product(seller) for _ in range(3))
    tokens = [reports.sent(one, buyer.headers)["token"] for one in (product, removed, contested)]
    first, second = (reports.decided(one, "remove")["decisionId"] for one in (removed, contested))
    assert reports.contest(seller, second).status_code == 200
    assert reports.objections()[second]["version"] == 2
    return Reported(product["productId"], reports.queue()[product["productId"]]["seen"], tokens[0], first, second)
