"""What a session that lives on has beside its runs: files, variables, a log, a pool of its kind."""
