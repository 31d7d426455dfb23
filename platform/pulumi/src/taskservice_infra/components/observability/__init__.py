"""Metrics, logs and traces: collecting, storing, alerting, showing."""
