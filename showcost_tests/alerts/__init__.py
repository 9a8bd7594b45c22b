"""Tests of alerts: sinks, what is an alert, and when it is sent."""
