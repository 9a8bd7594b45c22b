"""Tests of the pages: generated pages are current, and names in them exist."""
