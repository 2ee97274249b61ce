"""Real servers for tests, started by the product's own launchers and removed afterwards."""
