"""Tests of the sample production and of the example folders that come with showcost."""
