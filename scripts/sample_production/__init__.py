"""Generator of the sample production: vendors, their invoices, file layouts and planted faults.

`scripts/generate_sample.py` calls it; showcost imports nothing from here.
"""
