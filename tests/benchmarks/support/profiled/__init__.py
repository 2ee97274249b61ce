"""On PYTHONPATH of a profiled process: Python imports `sitecustomize` at its start."""
