"""Vendors that misbehave on demand, for tests and the demo: a real HTTP server on this machine.

`scripts` says what a vendor has and how it behaves, all of it following from a seed; `server` serves it and
measures, as a vendor would, whether its limits are kept; `running` starts and stops it. Nothing of the rest
of showcost is known here.
"""
