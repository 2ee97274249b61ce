"""Bundles, MLflow and promotion."""
