"""The records, events and protocols that every other part shares; standard library only."""
