"""Automation: the job over all partitions, its schedule, and the sensors."""
