"""People who report products, and administrators who decide."""

from typing import Any

import httpx

from tests.harness.shop import Person, Shop

REPORTED = "/api/v1/admin/products/reported"
OBJECTIONS = "/api/v1/admin/objections"
OWN = "/api/v1/sellers/me/report-decisions"


class Reports:
    """Requests about reports of one shop, for one administrator."""

    def __init__(self, shop: Shop, admin: Person) -> None:
        self.shop, self.client, self.admin = shop, shop.client, admin

    def send(self, product: dict[str, Any], headers: dict[str, str], **fields: Any) -> httpx.Response:
        body = {"reason": "counterfeit", "comment": "The logo is wrong.", **fields}
        answer = self.client.put(f"/api/v1/products/{product['productId']}/report", json=body, headers=headers)
        self.client.cookies.clear()
        return answer

    def sent(self, product: dict[str, Any], headers: dict[str, str], **fields: Any) -> dict[str, Any]:
        """The receipt."""
        return _body(self.send(product, headers, **fields))

    def look_up(self, token: str) -> dict[str, Any]:
        return _body(self.client.post("/api/v1/product-reports/lookup", json={"token": token}))

    def queue(self) -> dict[str, dict[str, Any]]:
        """All products with open reports, read one by one."""
        return {one["productId"]: one for one in self._all(REPORTED, "products", self.admin)}

    def listed(self, product: dict[str, Any]) -> list[tuple[Any, ...]]:
        """What a product's reports say, the newest first."""
        found = self._all(f"/api/v1/admin/products/{product['productId']}/reports", "reports", self.admin)
        return [tuple(one[name] for name in ("reason", "comment", "law", "byMember", "times", "open")) for one in found]

    def decide(
        self,
        product: dict[str, Any],
        seen: str,
        decision: str,
        statement: str = "We looked.",
        who: Person | None = None,
    ) -> httpx.Response:
        body = {"seen": seen, "decision": decision, "statement": statement}
        path = f"/api/v1/admin/products/{product['productId']}/reports/decision"
        return self.client.put(path, json=body, headers=(who or self.admin).headers)

    def decided(self, product: dict[str, Any], decision: str, statement: str = "We looked.") -> dict[str, Any]:
        """Decide about what is open now."""
        return _body(self.decide(product, self.queue()[product["productId"]]["seen"], decision, statement))

    def own(self, seller: Person) -> list[dict[str, Any]]:
        """What was decided about the seller's products."""
        return self._all(OWN, "decisions", seller)

    def contest(self, seller: Person, decision_id: str, comment: str = "It is genuine.") -> httpx.Response:
        return self.client.put(f"{OWN}/{decision_id}/objection", json={"comment": comment}, headers=seller.headers)

    def objections(self) -> dict[str, dict[str, Any]]:
        """Objections that wait, by the decision."""
        return {one["decisionId"]: one for one in self._all(OBJECTIONS, "objections", self.admin)}

    def rule(
        self,
        decision_id: str,
        version: int,
        decision: str,
        statement: str = "We looked again.",
        who: Person | None = None,
    ) -> httpx.Response:
        body = {"version": version, "decision": decision, "statement": statement}
        path = f"{OBJECTIONS}/{decision_id}/decision"
        return self.client.put(path, json=body, headers=(who or self.admin).headers)

    def _all(self, path: str, member: str, who: Person) -> list[dict[str, Any]]:
        """Every page of a list, in pages of two."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            body = _body(self.client.get(path, params=query, headers=who.headers))
            found += body[member]
            cursor = body["pagination"]["nextCursor"]
            if cursor is None:
                return found


def _body(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
