"""What runs amount to: figures, comparisons, the published table beside them, pages of it all."""
