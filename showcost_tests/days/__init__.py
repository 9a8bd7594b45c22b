"""Simulated days: a moved clock, real runs, and Dagster's own daemon code."""
