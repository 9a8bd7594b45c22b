"""The stages, on small data folders."""
