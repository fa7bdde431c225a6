"""An open code interpreter: write, run, refine."""
