"""Tests of validation: rules, key claims, split and schemas."""
