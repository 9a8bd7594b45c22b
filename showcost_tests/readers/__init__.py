"""Tests of the reader: what it accepts is right, what it rejects is kept, nothing else happens."""
