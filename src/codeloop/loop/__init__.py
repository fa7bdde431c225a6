"""The one loop: generate, execute, refine."""
