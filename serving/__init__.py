"""A model bundle in, ranked products over HTTP out.

Input: `$SOUK_HOME/models/champion.json` and the bundle it points at (training/README.md gives the format), product
features in Parquet, the shopper's row in the online store. Output: POST /v1/for-you and /v1/related. Imports
`features`, never `training`: the bundle is the only interface between the two.
"""
