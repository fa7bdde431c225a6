"""Dialogues as notebooks and pages, out and in: pure functions over the records of core."""
