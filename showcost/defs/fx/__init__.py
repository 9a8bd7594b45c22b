"""Daily FX snapshots: assets and checks."""
