"""Dialogues that need no teacher: a bug is planted in a right solution, and its failure is real."""
