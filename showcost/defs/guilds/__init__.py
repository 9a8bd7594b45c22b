"""Guild audit packs."""
