"""The nightly verification."""
