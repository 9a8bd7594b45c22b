"""Tests of what Dagster loads: assets, checks, jobs, schedules, sensors and the feeds' components."""
