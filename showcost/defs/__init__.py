"""Dagster definitions: assets of every production, jobs, schedules, sensors and feeds.

A feed is a folder with a `defs.yaml`; `dg scaffold defs showcost.components.Feed feeds/NAME` creates one.
"""
