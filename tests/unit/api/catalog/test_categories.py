"""The category tree and what names a category."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from api.catalog.queries.categories import CategoryRow, reference_binds, tree_of
from api.kernel.languages import Reader

OWN = Reader("en", "en")
ROOT, PHONES, CASES, TOYS = (UUID(int=n) for n in range(1, 5))


def row(category_id: UUID, path: str, parent: UUID | None = None) -> CategoryRow:
    return CategoryRow(category_id, parent, path.rsplit("/", 1)[-1], path, path.count("/"), None)


def test_children_hang_below_their_parents() -> None:
    tree = tree_of(
        [
            row(ROOT, "/Electronics"),
            row(TOYS, "/Toys"),
            row(PHONES, "/Electronics/Phones", ROOT),
            row(CASES, "/Electronics/Phones/Cases", PHONES),
        ],
        OWN,
    )
    assert [node.name for node in tree] == ["Electronics", "Toys"]
    assert [node.name for node in tree[0].children] == ["Phones"]
    assert [node.category_id for node in tree[0].children[0].children] == [CASES]
    assert tree[1].children == []


def test_a_category_without_its_parent_is_a_root() -> None:
    assert [node.name for node in tree_of([row(PHONES, "/Electronics/Phones", ROOT)], OWN)] == ["Phones"]


@pytest.mark.parametrize("reference", ["/Electronics/Phones", "Electronics > Phones", "/electronics/phones/"])
def test_a_path_is_read_in_every_spelling(reference: str) -> None:
    assert reference_binds(reference)["category_path"] == "/electronics/phones"


def test_an_id_is_an_id_and_a_name_a_name() -> None:
    known = uuid4()
    assert reference_binds(str(known)) == {"category_id": known}
    assert reference_binds("Phones") == {"category_path": "/phones", "category_name": "phones"}


def test_a_name_is_that_of_the_readers_language_or_else_the_shops_own() -> None:
    named = replace(row(ROOT, "/Electronics"), names={"de": "Elektronik"})
    found = {
        language: [
            (node.name, node.name_language) for node in tree_of([named, row(TOYS, "/Toys")], Reader(language, "en"))
        ]
        for language in ("en", "de", "fr")
    }
    assert found == {
        "en": [("Electronics", None), ("Toys", None)],
        "de": [("Elektronik", None), ("Toys", "en")],
        "fr": [("Electronics", "en"), ("Toys", "en")],
    }
