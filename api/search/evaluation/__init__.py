"""How good search is on judged queries: `python -m api.search.evaluation`, which `souk evaluate search` runs."""
