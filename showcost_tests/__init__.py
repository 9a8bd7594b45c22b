"""Tests of showcost; the folders mirror the package, `whole` takes costs along their whole way."""
