"""Features and lake tables in, a recommender bundle out.

Input: the lake's `interaction_sequences`, marts (`fct_order_items`, `dim_product`), feature Parquet files; or a real
set on disk. Output: a bundle directory (README.md gives its format), an MLflow run, the registry alias `champion`,
`$SOUK_HOME/models/champion.json`. Imported by `orchestration` only. It imports `features` and `warehouse` for reading,
never `serving`: the bundle is the only interface between the two.
"""
