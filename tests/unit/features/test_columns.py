"""The list of features and what is rendered from it."""

from dataclasses import replace

from features.columns import (
    COLUMNS,
    KEYS,
    MODELS,
    REQUEST,
    STORED,
    columns_hash,
    columns_of,
    entity_of,
    numeric_columns,
)
from features.store_address import redis_connection


def test_names_are_unique_and_begin_with_their_entity() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert [column.name for column in COLUMNS if not column.name.startswith(f"{column.entity}__")] == []


def test_every_model_serves_one_entity_and_request_columns_subtract_stored_numbers() -> None:
    stored = {column.name: column for column in STORED}

    assert MODELS == ("features_product", "features_user", "features_user_history", "features_shop")
    assert [model for model in MODELS if len({column.entity for column in columns_of(model)}) != 1] == []
    assert {entity_of(model) for model in MODELS} == set(KEYS)
    for column in COLUMNS:
        assert (column.model == REQUEST) == (column.minus is not None)
        if column.minus is not None:
            assert [stored[name].dtype for name in column.minus] == ["int64", "int64"]


def test_the_hash_sees_meaning_and_not_words() -> None:
    first, *rest = COLUMNS
    reworded = (replace(first, description="other words"), *rest)
    changed = [
        (replace(first, default=1), *rest),
        (replace(first, dtype="float64"), *rest),
        (replace(first, unit="pieces"), *rest),
        (replace(first, name="product__orders_8d"), *rest),
        (*rest, first),
    ]

    assert columns_hash(reworded) == columns_hash()
    assert len({columns_hash(), *(columns_hash(columns) for columns in changed)}) == len(changed) + 1


def test_the_serving_vector_holds_numbers_only() -> None:
    names = [column.name for column in numeric_columns("product")]

    assert names[0] == "product__orders_7d"
    assert "product__days_since_last_order" in names
    assert "product__category_id" not in names
    assert {column.entity for column in numeric_columns("product", "user")} == {"product", "user"}


def test_redis_urls_become_feast_connection_strings() -> None:
    assert redis_connection("redis://127.0.0.1:7001/3") == "127.0.0.1:7001,db=3"
    assert redis_connection("rediss://me:p%40ss@cache") == "cache:6379,username=me,password=p@ss,ssl=true"
    assert redis_connection("redis://h:1", 0.05) == "h:1,socket_timeout=0.05,socket_connect_timeout=0.05"
