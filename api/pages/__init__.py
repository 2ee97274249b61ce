"""Pages for a browser: adapters over the nouns' queries, without SQL."""
