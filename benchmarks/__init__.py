"""Benchmarks of showcost: `python -m benchmarks NAME [options]` runs one of them.

A module has a function `add_options(parser)` and a function `run(options, report)`; measuring, printing and
JSON are in `harness`.
"""
