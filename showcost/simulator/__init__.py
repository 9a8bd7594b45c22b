"""Simulated vendors that misbehave on demand, for tests and the demo: a real HTTP server on this machine.

`scripts` defines a vendor's invoices and behaviour, all derived from a seed; `server` serves them and
measures, as a vendor would, whether its limits are kept; `running` starts and stops it. It imports nothing
else of showcost.
"""
