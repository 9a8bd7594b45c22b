"""Tests of the validation: rules, claims, split and schemas."""
