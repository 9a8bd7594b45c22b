"""The commands of `showcost`: thin, one module per subject; what they do is done elsewhere."""
