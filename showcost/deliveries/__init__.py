"""Deliveries as they arrived: their bytes by sha256, encrypted or plain, and the register of arrivals."""
