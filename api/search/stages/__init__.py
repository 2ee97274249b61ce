"""What reorders the first results of a search after the engine: each stage behind a switch, all under one deadline."""
