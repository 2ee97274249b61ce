"""What is found: small catalogs, a query, and what must come."""

from pathlib import Path
from typing import Any

import pytest

from api.kernel.languages import Languages
from api.search.engine import asking, facets, reader
from api.search.engine.asking import Asked
from api.search.engine.synonyms import Pair
from tests.harness.small_index import SmallIndex

LAMP = {"title": "Desk lamp", "description": "Put the lamp on a stand next to the laptop"}
SONY = ["Sony WH-1000XM4 headphones", "Sony WH-1000XM5 headphones", "Sony WH1000XM5 case"]
HOSES = ["Garden hose 10 m", "Garden hose 20 m", "Garden shed"]


@pytest.mark.parametrize(
    ("products", "text", "expected"),
    [
        # Words that say nothing are never required.
        (["Laptop stand oak", LAMP], "the laptop stand", ["Laptop stand oak", "Desk lamp"]),
        (["Laptop stand oak", LAMP], "laptop stand for sale", ["Laptop stand oak", "Desk lamp"]),
        (["Laptop stand oak", LAMP], "please find me a cheap laptop stand", ["Laptop stand oak", "Desk lamp"]),
        (["The The poster", "Band poster"], "the the", ["The The poster"]),
        # Words with digits are what they are.
        (SONY, "sony wh1000xm4", [SONY[0], SONY[2], SONY[1]]),
        (SONY, "wh-1000xm4", [SONY[0]]),
        (SONY, "wh 1000xm4", [SONY[0], SONY[1]]),
        (["Epson TK-675 ink", "Pen"], "tk675", ["Epson TK-675 ink"]),
        (["Epson TK675 ink", "Pen"], "tk-675", ["Epson TK675 ink"]),
        (["Epson TK675 ink", "Pen"], "tk 675", ["Epson TK675 ink"]),
        (["iPhone 15 case", "iPhone 14 case"], "iphone15", ["iPhone 15 case"]),
        (["iPhone15 case", "Pen"], "iphone 15", ["iPhone15 case"]),
        # Joined and split words.
        (["Laptop stand", "Lamp"], "laptopstand", ["Laptop stand"]),
        (["Laptopstand", "Lamp"], "laptop stand", ["Laptopstand"]),
        (["Wi-Fi router", "Lamp"], "wifi", ["Wi-Fi router"]),
        (["WiFi router", "Lamp"], "wi-fi", ["WiFi router"]),
        (["T-shirt", "Shirt"], "tshirt", ["T-shirt"]),
        # A number and its unit.
        (['Monitor 24"', "Monitor 27 inch"], "24 inch monitor", ['Monitor 24"', "Monitor 27 inch"]),
        (["Card 16GB", "Card 32GB"], "16 gb", ["Card 16GB"]),
        (["Card 16 GB", "Card 32 GB"], "16gb", ["Card 16 GB"]),
        # One error, or two; also in the first letter.
        (["Headphones", "Lamp"], "hedphons", ["Headphones"]),
        (["Headphones", "Lamp"], "geadphones", ["Headphones"]),
        (["Monitor", "Lamp"], "moniter", ["Monitor"]),
        (["Original print", "Woven mat"], "orignal", ["Original print"]),
        # Scripts.
        (["手机壳 透明", "杯子"], "手机", ["手机壳 透明"]),
        (["เคสโทรศัพท์", "แก้วน้ำ"], "โทรศัพท์", ["เคสโทรศัพท์"]),
        (["Наушники беспроводные", "Лампа"], "наушников", ["Наушники беспроводные"]),
        (["الهاتف المحمول", "مصباح"], "هاتف", ["الهاتف المحمول"]),
        (["Re\u0301sume\u0301 folder", "Lamp"], "résumé", ["Re\u0301sume\u0301 folder"]),
        (["Re\u0301sume\u0301 folder", "Lamp"], "resume", ["Re\u0301sume\u0301 folder"]),
        (["Tree 🎄", "Lamp"], "🎄", ["Tree 🎄"]),
        (["Schreibtisch Lampe", "Stuhl"], "schreibtischlampe", ["Schreibtisch Lampe"]),
        (["Schreibtischlampe", "Stuhl", "Tisch"], "lampe", ["Schreibtischlampe"]),
        # Nothing.
        (["Lamp"], "*", []),
        (["Lamp"], "zzzz", []),
    ],
)
async def test_what_is_found(tmp_path: Path, products: list[Any], text: str, expected: list[str]) -> None:
    assert await SmallIndex(tmp_path, products).titles(text) == expected


async def test_what_was_not_asked_for_is_named_and_what_has_all_words_comes_first(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, HOSES)

    found = await index.found("garden hose please")
    assert (found.relaxed, found.full, found.total, found.corrected) == (["please"], 2, 3, None)
    assert (await index.titles("garden hose please"))[2] == "Garden shed"
    nowhere = await index.found("garden hose zzzz")
    assert (nowhere.relaxed, nowhere.full, nowhere.total) == (["zzzz"], 2, 3)
    apart = await SmallIndex(tmp_path / "2", [*HOSES, "Steel rack"]).found("garden steel hose")
    assert (apart.relaxed, apart.full, apart.total) == (["steel"], 2, 4)


async def test_a_word_that_no_product_has_with_the_others_is_not_required_and_still_finds(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, ["Steel watering can", "Garden hose", "Garden hose reel", "Steel garden"])

    assert (await index.titles("garden hose steel"))[0] == "Garden hose"
    found = await index.found("garden hose steel")
    assert (found.relaxed, found.full, found.total) == (["steel"], 2, 4)
    by_price = await index.found("garden hose steel", sort="price_asc")
    assert (by_price.relaxed, by_price.full, by_price.total) == (["steel"], 2, 2)


async def test_the_name_of_its_category_says_what_a_product_is_as_its_title_does(tmp_path: Path) -> None:
    products: list[str | dict[str, Any]] = [
        {"title": "Bracket for a wall lamp", "category_path": "/Tools/Brackets"},
        {"title": "Aurora", "category_path": "/Lamps/Floor lamps"},
        {"title": "Luna", "category_path": "/Lamps/Bulbs", "description": "For floor and wall"},
    ]
    index = SmallIndex(tmp_path, products)

    assert [(await index.titles(text))[0] for text in ("floor lamp", "lamp")] == ["Aurora", "Aurora"]


async def test_a_mistyped_word_finds_what_it_may_mean(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, ["Stove", "Stone", "Stone sink", "Store", "Lamp"])
    found = await index.found("stoqe")

    assert (found.corrected, found.also_searched) == ("stone", ["store", "stove"])
    assert sorted(await index.titles("stoqe")) == ["Stone", "Stone sink", "Store", "Stove"]
    # Of several, those that some product has with the other words.
    assert await index.titles("stoqe sink") == ["Stone sink", "Stone"]


async def test_what_is_said_to_be_searched_finds_what_is_found(tmp_path: Path) -> None:
    """In other places of a text too, and words of which one has the unknown one as a part."""
    titles = ["Oak stone", "Oak stole", "Red stove", "Oak stoqework", "Oak lamp", "Red lamp"]
    index = SmallIndex(tmp_path, [*titles, *(f"Oak {n}" for n in range(40))])
    said = {}
    for text in ("stoqe", "oak stoqe", "stoqe oak"):
        found = await index.found(text, sort="price_asc")
        said[text] = [found.corrected, *found.also_searched]
        finds = set[str]()
        for one in filter(None, said[text]):
            again = await index.found(one, sort="price_asc")
            assert (again.corrected, again.also_searched, again.relaxed) == (None, [], []), one
            finds |= set(again.ids)
        assert finds == set(found.ids), text
    # What a word that is not required was taken for finds too.
    lost = await index.found("oak lanp stone")

    assert said == {
        "stoqe": ["stole", "stone", "stove", "stoqework"],
        "oak stoqe": ["oak stole", "oak stone", "oak stoqework"],
        "stoqe oak": ["stole oak", "stone oak", "stoqework oak"],
    }
    assert (lost.corrected, lost.also_searched, lost.relaxed) == (None, ["lamp"], ["lanp"])
    assert {"Oak stone", "Red lamp"} <= set(await index.titles("oak lanp stone"))


async def test_a_synonym_of_several_words_stands_for_all_of_them(tmp_path: Path) -> None:
    pairs = [Pair("sofa bed", "sleeper"), Pair("coffee table", "low side table")]
    products = ["Red sofa bed", "Red sleeper", "Red chair", "Low side table", "Side lamp", "Sofa"]
    index = SmallIndex(tmp_path, products, synonyms=pairs)

    red = await index.found("red sofa bed")
    assert (red.full, red.corrected, list(red.relaxed)) == (2, None, [])
    assert (await index.titles("red sofa bed"))[:2] == ["Red sofa bed", "Red sleeper"]
    assert (await index.titles("sleeper"))[:2] == ["Red sleeper", "Red sofa bed"]
    assert await index.titles("coffee table") == ["Low side table"]
    assert await index.titles("bed sofa") == ["Red sofa bed", "Sofa"]


async def test_a_word_finds_the_compounds_that_end_in_it_where_compounds_are_one_word(tmp_path: Path) -> None:
    titles = ["Lampe Eiche", "Tischlampe", "Lampenschirm", "Tisch", "Schirm"]

    assert await SmallIndex(tmp_path / "de", titles, Languages.of("de")).titles("lampe") == titles[:2]
    assert await SmallIndex(tmp_path / "en", titles).titles("lampe") == titles[:1]


async def test_pages_are_parts_of_one_order(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, HOSES)
    whole = await index.found("garden hose")

    pages = [await index.found("garden hose", limit=1, offset=offset) for offset in range(4)]

    assert [page.ids for page in pages] == [[one] for one in whole.ids] + [[]]
    assert {(page.total, page.full) for page in pages} == {(3, 2)}
    assert list(whole.scores) == sorted(whole.scores, reverse=True)


async def test_other_orders_have_all_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the engine counts, and has counted for the other order."""
    monkeypatch.setattr(facets, "COUNTED_HERE", 0)
    index = SmallIndex(tmp_path, [{"title": title, "brand": "Acme"} for title in HOSES])
    by_price = await index.found("garden hose", sort="price_asc", limit=1)
    best = await index.found("garden hose", limit=1)

    assert (by_price.total, by_price.full, by_price.brands) == (2, 2, [("Acme", 2)])
    assert (best.total, best.full, best.brands) == (3, 2, [("Acme", 3)])


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("moniter stand", "monitor stand"),
        ("monitorstand", "monitor stand"),
        ("monitor stand", None),
        ("monitors", None),
    ],
)
async def test_what_was_searched_is_said_in_words_of_the_catalog(
    tmp_path: Path, text: str, corrected: str | None
) -> None:
    found = await SmallIndex(tmp_path, ["Monitor stand", "Monitoring kit"]).found(text)

    assert (found.corrected, found.total > 0) == (corrected, True)


async def test_the_correction_that_goes_with_the_other_words_is_taken(tmp_path: Path) -> None:
    products = ["Camp bed", "Camp stove", "Camp chair", "Desk lamp"]
    assert await SmallIndex(tmp_path, products).titles("desk clamp") == ["Desk lamp"]


async def test_a_code_puts_its_product_first(tmp_path: Path) -> None:
    products: list[str | dict[str, Any]] = [
        {"title": "Oak lamp 1", "description": "lamp oak 1"},
        {"title": "Chair", "codes": ["LAMP-OAK-1", "04006381333931"]},
        "Lamp oak 1 lamp oak 1",
    ]
    index = SmallIndex(tmp_path, products)

    for code in ("LAMP-OAK-1", "lamp oak 1", "lampoak1", "4006381333931", "04006381333931"):
        assert (await index.titles(code))[0] == "Chair", code
    assert await index.titles("4006381333932") == []


async def test_values_of_attributes_are_found_and_names_are_not(tmp_path: Path) -> None:
    attributes = {"generated": True, "material": "oak", "tags": ["LED", "dim"]}
    index = SmallIndex(tmp_path, [{"title": "Lamp", "specifications": attributes}])

    for text in ("oak", "led", "dim"):
        assert await index.titles(text) == ["Lamp"], text
    for text in ("generated", "true", "material", "tags"):
        assert await index.titles(text) == [], text


async def test_an_accepted_synonym_is_found_behind_the_word(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, ["Couch", "Sofa", "Chair"], synonyms=[Pair("sofa", "couch")])

    assert await index.titles("sofa") == ["Sofa", "Couch"]
    assert (await index.found("sofa")).corrected is None


async def test_what_is_popular_is_ahead_of_its_like_and_of_nothing_better(tmp_path: Path) -> None:
    products: list[str | dict[str, Any]] = [
        {"title": "Oak lamp"},
        {"title": "Ash lamp", "review_count": 100_000},
        {"title": "Bulb", "description": "For each lamp", "review_count": 100_000},
    ]
    assert await SmallIndex(tmp_path, products).titles("lamp") == ["Ash lamp", "Oak lamp", "Bulb"]


async def test_a_reader_is_understood_in_their_language_and_the_shops(tmp_path: Path) -> None:
    products: list[str | dict[str, Any]] = [
        {"title": "Desk lamp", "translations": {"de": {"title": "Tischlampe aus Holz"}}},
        "Wooden box",
    ]
    index = SmallIndex(tmp_path, products, Languages.of("en,de"))

    assert await index.titles("die holz tischlampen", language="de") == ["Tischlampe aus Holz"]
    assert await index.titles("boxes", language="de") == ["Wooden box"]
    assert await index.titles("tischlampe") == []


async def test_ways_that_cost_less_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether words are counted first or not, are asked for in a thread or not, and who counts what is found."""
    products = [
        {"title": f"{a} {b}", "brand": a} for a in ("Oak", "Pine", "Ash") for b in ("desk", "chair", "desk lamp")
    ]
    texts = ("oak desk", "desk", "pine lamp", "oak pine ash", "chair -oak", "ash zzzz", "lamp chair", "")
    # Each text twice: what was read and understood for the first is there for the second.
    index = SmallIndex(tmp_path, products)
    found = [await index.found(text) for text in texts * 2]
    assert found[: len(texts)] == found[len(texts) :]

    ways: list[tuple[object, str, object]] = [
        (Asked, "expected", lambda *_: 0.0),
        (Asked, "expected", lambda *_: float("inf")),
        (facets, "MOST_UNREAD", 0),
        (reader, "THREAD_FROM", 0),
        (asking, "NARROW", -1),
    ]
    for number, (owner, name, value) in enumerate(ways):
        monkeypatch.setattr(owner, name, value)
        other = SmallIndex(tmp_path / str(number), products)
        assert [await other.found(text) for text in texts * 2] == found
