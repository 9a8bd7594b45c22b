"""Taking deliveries in: the payload store, the register of arrivals, the readers, and landing.

What is right or wrong with a *value* is not decided here, only what a delivery's records are.
"""
