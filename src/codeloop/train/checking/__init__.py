"""What is seen of training data before any weight is loaded."""
