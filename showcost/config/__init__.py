"""What a person configures: the production, its chart of accounts and budget, and its feeds.

Everything is checked when it is loaded; what cannot be used raises `showcost.core.errors.ConfigError`,
which names file, key and what was expected. Nothing here touches data or knows Dagster.
"""
