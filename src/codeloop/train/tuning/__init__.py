"""Runs: what a trainer is fed, what is watched, and the methods, each thin over one of TRL."""
