"""The benchmarks run, and their results are right."""
