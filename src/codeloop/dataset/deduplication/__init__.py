"""Finds rows that say the same: exactly, nearly (MinHash, verified), or by their vectors."""
