"""The books against a model: whatever is done in whatever order, both come to the same.

    python -m showcost_tests.machine --seeds 1000

See `model` for what is expected, `machine` for what is done.
"""
