"""Tests of the rates: history, sources, snapshots, store, conversion and checks."""
