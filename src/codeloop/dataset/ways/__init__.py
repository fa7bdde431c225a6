"""The ways to make dialogues of queries and exercises; each gives an example, or says why not."""
