"""Vendor APIs."""
