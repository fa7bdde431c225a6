"""From dialogues to a model that repairs its own code: a thin layer over TRL."""
