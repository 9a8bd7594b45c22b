"""Tests of the reader of e-invoices."""
