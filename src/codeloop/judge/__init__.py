"""Runs a solution against a problem's tests, in a way that the solution cannot forge."""
