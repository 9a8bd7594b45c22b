"""Tests of the configuration: what is accepted, and how what is not is told."""
