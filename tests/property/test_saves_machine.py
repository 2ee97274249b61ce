"""Saves as a state machine: a seller reads, replaces and changes a product while buyers order it, in any order, over
HTTP. After every step the product is what a plain model says: nothing changed that was not sent, a PUT twice is one,
and of no variant more was sold than delivered in. The negative controls are in
`tests/integration/api/catalog/test_save_mutants.py`, whose market nobody checks.
"""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.harness.buying import Market
from tests.harness.shop import Person

WOODS = ("oak", "birch", "elm")
# A variant's own price may be the product's, before or after a change of that.
PRICES = st.sampled_from([10.0, 12.0, 15.0])
UNITS = st.integers(0, 5)
Json = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """What the model knows of a variant; `wood` is None for the one without attributes."""

    variant_id: str
    sku: str
    wood: str | None
    own_price: float | None
    stock: int
    delivered: int
    sold: int = 0

    @property
    def attributes(self) -> dict[str, str]:
        return {} if self.wood is None else {"wood": self.wood}

    def with_stock(self, units: int) -> "Variant":
        return replace(self, stock=units, delivered=self.delivered + units - self.stock)


@dataclass
class Keeper:
    """The people of all runs, and what they did."""

    market: Market
    seller: Person
    buyer: Person
    steps: dict[str, int] = field(default_factory=dict)

    def send(self, name: str, method: str, path: str, body: Json | None, **headers: str) -> httpx.Response:
        answer = self.market.client.request(method, path, json=body, headers={**self.seller.headers, **headers})
        assert answer.status_code < 500, answer.text
        self.count(name, answer)
        return answer

    def count(self, name: str, answer: httpx.Response) -> None:
        kind = "done" if answer.status_code < 300 else answer.json()["type"].removeprefix("/problems/")
        self.steps[f"{name} {kind}"] = self.steps.get(f"{name} {kind}", 0) + 1


class SavesMachine(RuleBasedStateMachine):
    """One product of the keeper that the test sets."""

    keeper: Keeper

    @initialize(woods=st.sets(st.sampled_from(WOODS)), price=PRICES)
    def offer(self, woods: set[str], price: float) -> None:
        self.body: Json = {"title": f"Stool {uuid4()}", "category": str(self.keeper.market.category("/Home"))}
        self.price, self.version = price, 1
        entries = [{"attributes": {"wood": wood}, "stock": 3} for wood in sorted(woods)]
        self.gone: list[str] = []
        answer = self.keeper.send("offer", "POST", "/api/v1/products", self.whole(entries))
        assert answer.status_code == 201, answer.text
        made = answer.json()
        self.product_id = made["productId"]
        self.path = f"/api/v1/products/{self.product_id}"
        self.variants = [self.new(one, 3 if entries else 0) for one in made["variants"]]
        self.read()

    @rule()
    def read(self) -> None:
        answer = self.keeper.send("read", "GET", self.path, None)
        self.seen = answer.headers["etag"], self.version, self.stocks()

    @rule(data=st.data(), price=st.none() | PRICES, checked=st.booleans())
    def patch(self, data: st.DataObject, price: float | None, checked: bool) -> None:
        entries, after = [], list(self.variants)
        for place, old in enumerate(self.variants):
            if data.draw(st.booleans()):
                entry, after[place] = self.change(data, old)
                entries.append(entry)
        body: Json = {"variants": data.draw(st.permutations(entries))} if entries else {"description": "said"}
        if price is not None:
            body["price"] = price
        if self.save("patch", "PATCH", body, after, checked=checked) and price is not None:
            self.price = price

    @rule(data=st.data(), price=PRICES, woods=st.sets(st.sampled_from(WOODS)), checked=st.booleans())
    def put(self, data: st.DataObject, price: float, woods: set[str], checked: bool) -> None:
        """Without `If-Match` it is sent twice."""
        known = {variant.wood: variant for variant in self.variants}
        entries, after = [], list[Variant]()
        wanted: list[str | None] = [*sorted(woods)] or [None]
        for wood in wanted:
            own, stock = data.draw(st.none() | PRICES), data.draw(st.none() | UNITS)
            old = known.get(wood) or Variant("", "", wood, None, 0, 0)
            after.append(replace(old if stock is None else old.with_stock(stock), own_price=own))
            if wood is not None or own is not None or stock is not None:
                entries.append(sent(attributes=old.attributes, price=own, stock=stock))
        if self.save("put", "PUT", self.whole(entries, price), after, checked=checked):
            kept = {variant.variant_id for variant in self.variants}
            self.gone += [old.variant_id for old in known.values() if old.variant_id not in kept]
            self.price = price
            if not checked:
                self.check()
                assert self.save("put again", "PUT", self.whole(entries, price), self.variants, checked=False)

    @rule(data=st.data(), units=st.integers(1, 3))
    def order(self, data: st.DataObject, units: int) -> None:
        """Of a variant that is for sale, or of one that was removed."""
        variant_id = data.draw(st.sampled_from([*(one.variant_id for one in self.variants), *self.gone]))
        line = {"productId": self.product_id, "variantId": variant_id, "quantity": units}
        market = self.keeper.market
        answer = market.buy(self.keeper.buyer, {**market.order_body(), "items": [line]})
        self.keeper.count("order", answer)
        there = next((one.stock for one in self.variants if one.variant_id == variant_id), None)
        assert answer.status_code == (422 if there is None else 409 if there < units else 201), answer.text
        if answer.status_code == 201:
            self.variants = [
                replace(one, stock=one.stock - units, sold=one.sold + units) if one.variant_id == variant_id else one
                for one in self.variants
            ]

    @invariant()
    def check(self) -> None:
        shown = self.keeper.market.client.get(self.path, headers=self.keeper.seller.headers).json()
        assert (shown["title"], shown["basePrice"]) == (self.body["title"], self.price)
        stocked = [one["price"] for one in shown["variants"] if one["stock"]]
        assert shown["price"] == min(stocked or [one["price"] for one in shown["variants"]])
        of_shop = {
            one["variantId"]: (one["sku"], one["attributes"], one["price"], one["ownPrice"], one["stock"])
            for one in shown["variants"]
        }
        assert of_shop == {
            one.variant_id: (one.sku, one.attributes, one.own_price or self.price, one.own_price, one.stock)
            for one in self.variants
        }
        assert all(one.sold <= one.delivered for one in self.variants)

    def change(self, data: st.DataObject, old: Variant) -> tuple[Json, Variant]:
        """An entry of a patch that names the variant in one of three ways, and the variant after it."""
        by = data.draw(st.sampled_from(["variantId", "sku", "attributes"]))
        named = {"variantId": old.variant_id, "sku": old.sku, "attributes": old.attributes}
        entry: Json = {by: named[by]}
        new = old
        what = data.draw(st.sets(st.sampled_from(["price", "stock", "stockChange", "sku"])))
        if "price" in what:
            entry["price"] = data.draw(st.none() | PRICES)
            new = replace(new, own_price=entry["price"])
        if "stock" in what:
            entry["stock"] = data.draw(UNITS)
            new = new.with_stock(entry["stock"])
        elif "stockChange" in what:
            entry["stockChange"] = data.draw(st.integers(-3, 3))
            new = new.with_stock(new.stock + entry["stockChange"])
        if "sku" in what and by != "sku":
            entry["sku"] = f"S {uuid4().hex}"
            new = replace(new, sku=entry["sku"])
        return entry, new

    def save(self, name: str, method: str, body: Json, after: list[Variant], *, checked: bool) -> bool:
        """Whether the save is made. `checked`: as of the last read."""
        etag, version, stocks = self.seen
        answer = self.keeper.send(name, method, self.path, body, **({"If-Match": etag} if checked else {}))
        sets_stock = any("stock" in entry for entry in body.get("variants", ()))
        if checked and version != self.version:
            assert refusal(answer) == (412, "product-changed")
        elif checked and sets_stock and stocks != self.stocks():
            assert refusal(answer) == (412, "stock-changed")
        elif any(one.stock < 0 for one in after):
            assert refusal(answer) == (409, "stock-below-zero")
        else:
            assert answer.status_code == 200, answer.text
            made = {tuple(one["attributes"].values()): one for one in answer.json()["variants"]}
            self.variants = [
                one if one.variant_id else self.named(one, made[tuple(one.attributes.values())]) for one in after
            ]
            self.version += 1
            return True
        return False

    def whole(self, entries: list[Json], price: float | None = None) -> Json:
        return {**self.body, "price": self.price if price is None else price, "variants": entries}

    def stocks(self) -> dict[str, int]:
        return {variant.variant_id: variant.stock for variant in self.variants}

    def named(self, variant: Variant, told: Json) -> Variant:
        """A variant that was made, with the id and the SKU that it got: not those of an earlier one."""
        assert told["variantId"] not in {one.variant_id for one in self.variants} | set(self.gone)
        return replace(variant, variant_id=told["variantId"], sku=told["sku"])

    def new(self, told: Json, stock: int) -> Variant:
        return Variant(told["variantId"], told["sku"], told["attributes"].get("wood"), None, stock, stock)


def sent(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def run(market: Market, runs: int) -> dict[str, int]:
    """The same runs each time; what was done how often. Raises: whatever a step found wrong."""
    keeper = Keeper(market, market.person("seller"), market.person())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SavesMachine, "keeper", keeper, raising=False)
        run_state_machine_as_test(
            SavesMachine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=15,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    return dict(sorted(keeper.steps.items()))


RUNS = [8, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]


@pytest.mark.parametrize("runs", RUNS)
def test_a_product_is_what_was_saved_and_not_sold(market: Market, runs: int) -> None:
    steps = run(market, runs)

    print(f"{runs} runs of saves: {steps}")
    done = {f"{name} done" for name in ("patch", "put", "put again", "order", "read")}
    assert done | {"patch product-changed", "order out-of-stock", "order not-orderable"} <= steps.keys()
