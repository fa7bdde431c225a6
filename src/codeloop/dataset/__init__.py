"""Code-Feedback: from raw queries to verified dialogues with execution and human feedback."""
