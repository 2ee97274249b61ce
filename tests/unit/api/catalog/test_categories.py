"""The category tree and what names a category."""

from uuid import UUID, uuid4

import pytest

from api.catalog.queries.categories import CategoryRow, readable_path, reference_binds, tree_of

ROOT, PHONES, CASES, TOYS = (UUID(int=n) for n in range(1, 5))


def row(category_id: UUID, path: str, parent: UUID | None = None) -> CategoryRow:
    return CategoryRow(category_id, parent, path.rsplit("/", 1)[-1], path, path.count("/"))


def test_children_hang_below_their_parents() -> None:
    tree = tree_of(
        [
            row(ROOT, "/Electronics"),
            row(TOYS, "/Toys"),
            row(PHONES, "/Electronics/Phones", ROOT),
            row(CASES, "/Electronics/Phones/Cases", PHONES),
        ]
    )
    assert [node.name for node in tree] == ["Electronics", "Toys"]
    assert [node.name for node in tree[0].children] == ["Phones"]
    assert [node.category_id for node in tree[0].children[0].children] == [CASES]
    assert tree[1].children == []


def test_a_category_without_its_parent_is_a_root() -> None:
    assert [node.name for node in tree_of([row(PHONES, "/Electronics/Phones", ROOT)])] == ["Phones"]


@pytest.mark.parametrize("reference", ["/Electronics/Phones", "Electronics > Phones", "/electronics/phones/"])
def test_a_path_is_read_in_every_spelling(reference: str) -> None:
    assert reference_binds(reference)["category_path"] == "/electronics/phones"


def test_an_id_is_an_id_and_a_name_a_name() -> None:
    known = uuid4()
    assert reference_binds(str(known)) == {"category_id": known}
    assert reference_binds("Phones") == {"category_path": "/phones", "category_name": "phones"}


def test_a_path_as_shoppers_read_it() -> None:
    assert readable_path("/Electronics/Phones") == "Electronics > Phones"
