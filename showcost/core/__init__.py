"""What every layer may rely on and what itself relies on none: money, ids, hashing, reason codes, errors."""
