"""What Dagster loads: assets that every production has, jobs, schedules, sensors, and the feeds.

A feed is a folder with a `defs.yaml`; `dg scaffold defs showcost.components.Feed feeds/NAME` makes one.
"""
