"""Vendor APIs: one step that pulls from all of them."""
