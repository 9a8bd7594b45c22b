"""Reports for readers outside: packs that others check. Reports change no stored data."""
