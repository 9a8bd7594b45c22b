"""Benchmarks of showcost: `python -m benchmarks NAME [options]` runs one of them.

Each module has a function `add_options(parser)` and a function `run(options, report)`; `harness` measures,
prints and writes JSON.
"""
