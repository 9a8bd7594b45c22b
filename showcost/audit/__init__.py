"""The hash-chained audit log and its state machine."""
