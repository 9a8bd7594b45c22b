"""The parts of the sample production's generator: who invoices what, how it is written, what is wrong.

Nothing here is imported by showcost; `scripts/generate_sample.py` puts the parts together.
"""
