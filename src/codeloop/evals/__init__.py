"""Measures models on benchmarks: problems, runs that can be resumed, metrics, reports."""
