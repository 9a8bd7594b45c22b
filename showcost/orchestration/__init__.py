"""Dagster runs and events outside of the definitions."""
