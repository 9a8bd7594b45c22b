"""Alerts: what needs a person, who is told of it, and when again. Nothing here knows Dagster."""
