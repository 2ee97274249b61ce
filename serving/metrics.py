"""The metrics of this process. Names end in their unit; labels have few values."""

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.25, 0.5, 1.0)

ANSWERS = Counter("serving_answers_total", "Answers by route and source", ["route", "source"])
DEGRADED = Counter("serving_degraded_total", "Answers made without a part, by part and cause", ["part", "cause"])
STAGE_SECONDS = Histogram("serving_stage_seconds", "Time of one stage of one request", ["stage"], buckets=_BUCKETS)
REQUEST_SECONDS = Histogram(
    "serving_request_seconds", "Time of one request inside the process", ["route"], buckets=_BUCKETS
)
BUNDLE_LOADED = Gauge("serving_bundle_loaded", "1 for the bundle in use", ["version"])
BUNDLES_REFUSED = Counter("serving_bundles_refused_total", "Bundles refused at load")
BUNDLE_LOAD_SECONDS = Gauge("serving_bundle_load_seconds", "Time of the last successful load")
CATALOG_PRODUCTS = Gauge("serving_catalog_products", "Products whose features are held in memory")
CATALOG_AGE_SECONDS = Gauge("serving_catalog_age_seconds", "Seconds since the product features were read")
VECTORS = Gauge("serving_vectors", "Products whose vectors are held in memory")
