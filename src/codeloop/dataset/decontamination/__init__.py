"""Finds rows that give a benchmark away: by their words, their code, or what their code does."""
