"""Landing of deliveries: inbox, records of a feed, corrections, masking, control totals and shredding.

This package determines the records of a delivery; `showcost.validation` checks their values.
"""
