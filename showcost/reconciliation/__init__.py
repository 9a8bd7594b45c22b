"""The reconciliation queue: rows and pay findings that wait for a person."""
