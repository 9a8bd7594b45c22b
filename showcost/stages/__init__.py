"""The stages of a cost's way, each over a data folder, a feed and a span of dates.

Here the parts meet: a stage reads what the one before it staged, calls the pure code of its part, and
writes its outcome. Dagster calls the stages and so do the commands; no stage knows either.
"""
