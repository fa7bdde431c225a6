"""What the server keeps: one SQLite file whose events are the truth, and blobs beside it."""
