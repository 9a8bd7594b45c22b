"""Bottom layer, which imports no other: money, ids, hashing, reason codes, errors, durable files."""
