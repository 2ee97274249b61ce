"""Real servers for tests: started from the product's own launchers, thrown away afterwards."""
