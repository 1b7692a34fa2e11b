"""Latencies of a configuration: rounds, intervals, drift, and prediction from blocks."""
