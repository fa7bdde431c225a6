"""What a run leaves for others: GGUF files, merged weights, a card; verified before it is named."""
