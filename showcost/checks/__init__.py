"""Checks of stored data: the functions behind asset checks, and full verification."""
