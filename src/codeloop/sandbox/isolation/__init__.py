"""What this machine gives to isolate with: its namespaces, its Landlock, its control groups."""
