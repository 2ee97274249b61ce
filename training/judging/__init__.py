"""How good a model is: cases, metrics, protocols."""
