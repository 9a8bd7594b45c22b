"""Configuration: the production, its chart of accounts and budget, its feeds and union agreements.

Everything is checked when loaded; invalid configuration raises `showcost.core.errors.ConfigError`, which
names the file, the key and the expected value. This package reads no data and does not import Dagster.
"""
