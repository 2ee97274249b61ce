"""Folders of products, queries and judgements: what is read, and what a damaged one is told."""

import gzip
from pathlib import Path

import pytest

from api.search.evaluation import reading
from api.search.evaluation.reading import BadSet, Product

FILES = {
    "products.csv": (
        "id,title,description,category,brand,price,Colour\na,Lamp,Bright,Home > Lamps,Lumi,9.5,red\nb,Desk,,,,,\n"
    ),
    "queries.csv": "query_id,query\n1,lamp\n2,table\n",
    "judgements.csv": "query_id,product_id,gain\n1,a,1\n1,b,0.5\n2,b,0\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def read(folder: Path) -> tuple[list[Product], reading.Judged]:
    products = list(reading.products(folder))
    return products, reading.judged(folder, {product.key: None for product in products})


def test_a_folder_is_read_whole(folder: Path) -> None:
    products, judged = read(folder)

    assert products == [
        Product("a", "Lamp", "Bright", "Home > Lamps", "Lumi", "9.5", {"colour": "red"}),
        Product("b", "Desk", "", "", "", "", {}),
    ]
    assert judged.queries == {"1": "lamp"}
    assert judged.judgements["1"] == {"a": 1.0, "b": 0.5}
    assert judged.skipped == 1


def test_other_names_separators_and_packed_files_are_the_same(folder: Path) -> None:
    expected = read(folder)
    (folder / "products.csv").unlink()
    text = FILES["products.csv"].replace("id,title", "Product ID,Name", 1).replace(",", "\t")
    (folder / "products.csv.gz").write_bytes(gzip.compress(text.encode("utf-8-sig")))
    (folder / "queries.csv").write_text("qid;Search Term\n1;lamp\n2;table\n")
    (folder / "judgements.csv").write_text("qid,item_id,relevance\r\n1,a,1\r\n1,b,.5\r\n2,b,0\r\n")

    assert read(folder) == expected


def test_a_quoted_value_may_have_lines_and_separators(folder: Path) -> None:
    (folder / "products.csv").write_text('id,title\na,"Lamp,\nbright"\nb,Desk\nb,Desk\n')

    with pytest.raises(BadSet, match=r"products\.csv, line 5, column id: 'b' stands in an earlier line too"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("products.csv", None, "products.csv or products.csv.gz is expected, and there is neither"),
        ("queries.csv", None, "queries.csv or queries.csv.gz is expected, and there is neither"),
        ("products.csv", "", "products.csv: the file is empty"),
        ("products.csv", "id,title\n", "products.csv: no products"),
        ("products.csv", "key,title\n1,Lamp\n", "products.csv, line 1: no column id; it may be called id, product_id"),
        ("products.csv", "id,title,Title\na,b,c\n", "products.csv, line 1, column title: stands there twice"),
        ("products.csv", "id,title\na,Lamp\nb, \n", "products.csv, line 3, column title: is empty"),
        ("products.csv", "id,title\na,Lamp\nb\n", "products.csv, line 3: 1 columns, and the first line has 2"),
        ("products.csv", 'id,title\na,"Lamp\n', "products.csv, line 2: unexpected end of data"),
        ("products.csv", "id,title\na,Lamp\nb,De\0sk\n", "products.csv, line 3: has a NUL character"),
        ("products.csv", b"id,title\na,Lamp\nb,D\xffsk\n", "products.csv, line 3: byte 4 is not UTF-8"),
        ("queries.csv", "query_id,query\n", "queries.csv: no queries"),
        ("queries.csv", "query_id,query\n1,lamp\n1,desk\n", "queries.csv, line 3, column query_id: '1' stands in an"),
        ("queries.csv", "query_id,query\n1,\n", "queries.csv, line 2, column query: is empty"),
        ("judgements.csv", "query_id,product_id,gain\n", "judgements.csv: no judgements"),
        ("judgements.csv", "query_id,product_id,gain\n1,a,0\n", "judgements.csv: no query has a product with a gain"),
        ("judgements.csv", "query_id,product_id\n1,a\n", "judgements.csv, line 1: no column gain; it may be called"),
        (
            "judgements.csv",
            "query_id,product_id,gain\n3,a,1\n",
            "line 2, column query_id: '3' is no query of queries.csv",
        ),
        ("judgements.csv", "query_id,product_id,gain\n1,c,1\n", "line 2, column product_id: 'c' is no product of prod"),
        ("judgements.csv", "query_id,product_id,gain\n1,a,good\n", "line 2, column gain: 'good' is no number from 0"),
        ("judgements.csv", "query_id,product_id,gain\n1,a,nan\n", "line 2, column gain: 'nan' is no number from 0"),
        (
            "judgements.csv",
            "query_id,product_id,gain\n1,a,1\n1,b,-1\n",
            "line 3, column gain: '-1' is no number from 0",
        ),
        (
            "judgements.csv",
            "query_id,product_id,gain\n1,a,1\n1,a,1\n",
            "line 3, column product_id: 'a' is judged for '1'",
        ),
    ],
)
def test_a_damaged_file_is_named_with_its_line_and_column(
    folder: Path, name: str, text: str | bytes | None, said: str
) -> None:
    path = folder / name
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(BadSet) as refused:
        read(folder)
    assert said in str(refused.value)


def test_a_torn_packed_file_and_one_in_both_forms_are_named(folder: Path) -> None:
    packed = gzip.compress(FILES["queries.csv"].encode() * 500)
    (folder / "queries.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadSet, match=r"queries\.csv or queries\.csv\.gz is expected, and there are both; remove one"):
        read(folder)

    (folder / "queries.csv").unlink()
    with pytest.raises(BadSet, match=r"queries\.csv\.gz: damaged gzip file: "):
        read(folder)

    (folder / "queries.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(BadSet, match=r"queries\.csv\.gz: damaged gzip file: "):
        read(folder)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    (folder / "queries.csv").write_text(FILES["queries.csv"] + "3," + "x" * 100)

    with pytest.raises(BadSet, match=r"queries\.csv, line 4: longer than 100 bytes"):
        read(folder)
