"""Checks of stored data: the judgements behind asset checks, and full verification."""
