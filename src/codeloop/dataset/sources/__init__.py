"""Reads what others have published, and one's own files, as the records of a dataset."""
